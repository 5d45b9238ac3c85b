/** Processor time and memory of processes, read from /proc (Linux). */
import { readFileSync } from 'node:fs';

// The kernel counts in hundredths of a second on every common build.
const ticksPerSecond = 100;
const bytesPerKibibyte = 1024;

/** User and system time of all threads, in seconds. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold spaces; what follows is fixed, from the state on (proc_pid_stat(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident memory in bytes. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) * bytesPerKibibyte;
}

export const mebibytes = (bytes: number): number => Math.round((bytes / 1024 ** 2) * 10) / 10;
