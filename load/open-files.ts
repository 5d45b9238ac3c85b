/** Whether this machine lets a process open as many sockets as a run needs. */
import { readFileSync } from 'node:fs';

/** Files, libraries, admin and service connections beside those that a run opens. */
const othersMax = 512;

/** @throws with what to type where the limit is too low. Processes that we start have the same limit as we. */
export function assertOpenFiles(connections: number): void {
  const needed = connections + othersMax;
  const allowed = openFilesIn(readFileSync('/proc/self/limits', 'utf8'));
  if (allowed >= needed) return;
  throw new Error(
    `This run needs ${needed} open files in one process and ${allowed} are allowed. ` +
      `Type "ulimit -n ${needed}" in this shell first; if that is refused, raise the hard limit ("ulimit -Hn").`,
  );
}

/** The soft limit in the text of `/proc/self/limits`; infinite where there is none. */
export function openFilesIn(limits: string): number {
  const match = /^Max open files\s+(\d+|unlimited)/m.exec(limits);
  if (match?.[1] === undefined) throw new Error('/proc/self/limits tells no limit of open files');
  return match[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(match[1]);
}
