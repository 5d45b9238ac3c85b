/** The environment, for the commands of this folder. */

// Each file that npm runs here is a process of its own; this is their one door to the environment.
// biome-ignore lint/style/noProcessEnv: the commands are named by package.json and cannot be called main.ts
export const env: Readonly<Record<string, string | undefined>> = process.env;

/** Prints a line for the person at the terminal. */
export const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Progress, apart from the output that programs read. */
export const note = (text: string): void => void process.stderr.write(`${text}\n`);
