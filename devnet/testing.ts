/** For tests of nodes: what their answers say. */

export type Sent = { readonly status: number; readonly text: string };

/** The status and the node's code of a refusal. */
export async function refusalOf(sent: Promise<Sent>): Promise<readonly [number, string]> {
  const { status, text } = await sent;
  return [status, JSON.parse(text).error.code];
}

/** The data of a stream's events. */
export const dataOf = (text: string): string[] =>
  text
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: '))
    .map((frame) => frame.slice('data: '.length));
