/** One child process: its output goes to a file, it ends with us, and stopping it has a deadline. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';

export type Launched = {
  readonly pid: number;
  readonly exited: Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Asks it to end, and makes it end at the deadline. */
  stop(): Promise<void>;
};

export type ChildOptions = {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logFile: string;
  readonly stopDeadlineMs: number;
  /** `setpriv` where the machine has it: the kernel then ends the child even where we are killed. */
  readonly guard: string | undefined;
};

/** Starts a process in a group of its own, so that Ctrl-C reaches us alone and we stop things in order. */
export async function startChild(options: ChildOptions): Promise<Launched> {
  const { command, args, guard } = options;
  const [program, programArgs] = guard
    ? [guard, ['--pdeathsig', 'TERM', command, ...args]]
    : [command, [...args]];
  const child = spawn(program, programArgs, {
    env: { ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const log = createWriteStream(options.logFile, { flags: 'a' });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const pid = await spawned(child);
  const exited = new Promise<void>((resolve) =>
    child.once('close', () => {
      log.end();
      resolve();
    }),
  );

  return {
    pid,
    exited,
    kill: (signal) => void child.kill(signal),
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), options.stopDeadlineMs);
      await exited;
      clearTimeout(late);
    },
  };
}

function spawned(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => resolve(child.pid ?? 0));
  });
}
