/** Reads what was charged, line by line. */
import type { UsageLine } from '../../storage/usage-list.ts';
import { type TestGateway, until } from './gateway.ts';

/** Every usage line of an account, newest first. */
export async function usageOf(
  { storage }: TestGateway,
  accountId: string,
): Promise<readonly UsageLine[]> {
  const all: UsageLine[] = [];
  let before: string | undefined;
  do {
    const page = await storage.usage.page({ accountId, before, limit: 100 });
    all.push(...(page?.lines ?? []));
    before = page?.next;
  } while (before !== undefined);
  return all;
}

/** The one line of a request. @throws where there is none in time, or more than one. */
export async function usageLineOf(
  gateway: TestGateway,
  request: { readonly accountId: string; readonly requestId: string },
): Promise<UsageLine> {
  const { accountId, requestId } = request;
  const find = async () =>
    (await usageOf(gateway, accountId)).filter(({ record }) => record.requestId === requestId);
  await until(async () => (await find()).length > 0);
  const [line, ...others] = await find();
  if (!line || others.length > 0) throw new Error(`${others.length + 1} lines for ${requestId}`);
  return line;
}
