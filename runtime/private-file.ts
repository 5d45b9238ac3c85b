/** Files that hold secrets: read only where nobody else can read them, written so that nobody else can. */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, realpath, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

const bytesMax = 16_384;
const secretsFolder = '/run/secrets/';

/** The content; whoever asks for it overwrites it after use. @throws with a sentence that names the file, never its content. */
export async function readPrivateFile(path: string): Promise<Buffer> {
  const handle = await openToRead(path);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new Error(`${path} is not a regular file.`);
    if (stats.size > bytesMax) throw new Error(`${path} has more than ${bytesMax} bytes.`);
    assertPrivate(path, { ...standing(stats), realPath: await realpath(path) });
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Writes a file for the owner's eyes, and onto the disk before it returns. @throws where the file exists. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const handle = await openToWrite(path);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (cause) {
    await rm(path, { force: true });
    throw new Error(`${path} cannot be written: ${codeOf(cause)}.`, { cause });
  } finally {
    await handle.close();
  }
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}

type Standing = {
  readonly mode: number;
  readonly ownerId: number;
  /** Who asks. */
  readonly userId: number;
  readonly realPath: string;
};

/**
 * The mode bits that a file of secrets must not have: all of its group and of others. Root may hand a file to a service
 * through the group, since it cannot otherwise; and in `/run/secrets` Docker shows each container its own secrets, to be
 * read by all in it, so that only writing counts.
 */
export function forbiddenBits({ ownerId, userId, realPath }: Omit<Standing, 'mode'>): number {
  if (realPath.startsWith(secretsFolder)) return 0o022;
  return ownerId === 0 && userId !== 0 ? 0o037 : 0o077;
}

function assertPrivate(path: string, standing: Standing): void {
  const mode = standing.mode & 0o777;
  const good = mode & ~forbiddenBits(standing);
  if (mode === good) return;
  const octal = (bits: number) => bits.toString(8).padStart(3, '0');
  throw new Error(
    `${path} is open to others (mode ${octal(mode)}). Close it: chmod ${octal(good)} ${path}`,
  );
}

const standing = ({ mode, uid }: Stats) => ({
  mode,
  ownerId: uid,
  userId: process.geteuid?.() ?? uid,
});

/** Does not wait for a writer where the path is a pipe. */
async function openToRead(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const code = codeOf(cause);
    const text =
      code === 'ENOENT' ? `There is no file ${path}.` : `${path} cannot be read: ${code}.`;
    throw new Error(text, { cause });
  }
}

async function openToWrite(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (cause) {
    const code = codeOf(cause);
    const text =
      code === 'EEXIST'
        ? `${path} exists already, and is not overwritten.`
        : `${path} cannot be written: ${code}.`;
    throw new Error(text, { cause });
  }
}

const codeOf = (cause: unknown): string =>
  cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
