/** Receipts through everything: what callers sent and got is what the receipt says, and it costs what the usage line says. */
import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { formatUsd } from '../../domain/money.ts';
import { ensureKeyFile, keyNames } from '../../launch/key-file.ts';
import { receiptDocument } from '../../receipts/document.ts';
import { sendChat, tokensIn } from './chat-request.ts';
import { brokenModel, chatModel, imageModel, plainModel } from './fleet.ts';
import { startTestGateway, type TestGateway, until, untilSettled } from './gateway.ts';
import { type RawAnswer, send } from './raw.ts';
import { usageLineOf } from './usage.ts';

const root = join(import.meta.dirname, '../..');
const messages = [{ role: 'user' as const, content: 'Say hello, please – €.' }];

let folder: string;
let gateway: TestGateway;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoma-receipts-'));
  const { file } = await ensureKeyFile(folder, keyNames.receipt);
  gateway = await startTestGateway({
    env: { ATOMA_RECEIPT_KEY_FILE: file, ATOMA_RECEIPT_INTERVAL_MS: '200' },
    replicas: { extAuthz: 1, extProc: 2 },
  });
});
afterAll(async () => {
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

const digest = (text: string) => `sha256:${hash('sha256', text, 'hex')}`;

const get = (path: string, apiKey: string | null = gateway.apiKey) =>
  send(gateway, { method: 'GET', path, apiKey, contentType: null });

/** The receipt once it is sealed. */
async function receiptOf(id: string) {
  await until(async () => (await get(`/v1/receipts/${id}`)).status === 200);
  const document = receiptDocument.parse(JSON.parse((await get(`/v1/receipts/${id}`)).text));
  const event = (type: string) => document.receipt.event_log.find((one) => one.type === type);
  return { document, receipt: document.receipt, event };
}

const idIn = ({ headers }: RawAnswer) => String(headers['x-receipt-id']);

describe.each([chatModel, plainModel])('a request to %s', (model) => {
  it.each([
    ['as JSON', {}],
    ['as a stream', { stream: true }],
    ['as a stream with usage', { stream: true, stream_options: { include_usage: true } }],
  ])('%s has a receipt of the bytes that the caller sent and got', async (_, more) => {
    const body = JSON.stringify({ model, messages, max_tokens: 12, ...more });
    const answer = await send(gateway, { body });
    expect(answer.status).toBe(200);
    expect(answer.headers['x-receipt-id']).toBe(answer.headers['x-request-id']);
    const requestId = idIn(answer);
    const { receipt, event } = await receiptOf(requestId);
    expect(event('request.received')).toMatchObject({ hash: digest(body) });
    expect(event('response.returned')).toMatchObject({
      hash: digest(answer.text),
      bytes: Buffer.byteLength(answer.text),
      complete: true,
    });
    const atNode = gateway.devnet.nodes
      .flatMap((node) => node.received.map((one) => ({ node: node.id, ...one })))
      .find((one) => one.requestId === requestId);
    expect(event('request.forwarded')).toMatchObject({
      hash: digest(atNode?.body ?? ''),
      node: atNode?.node,
    });
    expect(event('response.signed') !== undefined).toBe(model === chatModel);

    const { accountId } = gateway;
    const line = await usageLineOf(gateway, { accountId, requestId });
    expect(receipt).toMatchObject({
      ...{ account_id: accountId, model, node: line.record.nodeId },
      ...{ status: 200, ending: 'completed' },
    });
    expect(event('usage.metered')).toMatchObject({
      input_tokens: line.record.usage.inputTokens,
      output_tokens: 12,
      estimated: false,
    });
    expect(event('payment.settled')).toEqual({
      type: 'payment.settled',
      cost_usd: formatUsd(line.charged),
      price_version: line.record.priceVersion,
    });
  });
});

describe('a receipt', () => {
  it('is found by the header that the OpenAI SDK shows', async () => {
    const { response } = await gateway.client.images
      .generate({ model: imageModel, prompt: 'a fox' })
      .withResponse();
    const id = response.headers.get('x-receipt-id') ?? '';
    const { receipt, event } = await receiptOf(id);
    expect(receipt).toMatchObject({ receipt_id: id, endpoint: 'images' });
    expect(event('usage.metered')).toMatchObject({ images: 1 });
  });

  it('tells that a caller left, and hashes what was on its way', async () => {
    for (const node of gateway.devnet.nodes) node.setPace({ tokensPerSecond: 50 });
    const request = sendChat(gateway, {
      model: plainModel,
      messages,
      max_tokens: 500,
      stream: true,
    });
    await until(() => tokensIn(request.text()) >= 5);
    request.leave();
    for (const node of gateway.devnet.nodes) node.setPace({ tokensPerSecond: 0 });
    await untilSettled(gateway, gateway.accountId);
    const page = await gateway.storage.usage.page({
      accountId: gateway.accountId,
      before: undefined,
      limit: 1,
    });
    const line = page?.lines[0];
    const { receipt, event } = await receiptOf(line?.record.requestId ?? '');
    expect(receipt.ending).toBe('client-aborted');
    expect(event('response.returned')).toMatchObject({ complete: false });
    expect(event('payment.settled')).toMatchObject({ cost_usd: formatUsd(line?.charged ?? 0n) });
  });

  it('does not exist where a node failed and nothing was charged', async () => {
    const headers = { 'x-receipt-id': 'forged' };
    gateway.devnet.node('broken').setFault({ kind: 'status', status: 500, headers });
    const body = JSON.stringify({ model: brokenModel, messages });
    const answer = await send(gateway, { body });
    expect(answer.status).toBe(502);
    expect(answer.headers['x-receipt-id']).toBeUndefined();
    await untilSettled(gateway, gateway.accountId);
    expect((await get(`/v1/receipts/${answer.headers['x-request-id']}`)).status).toBe(404);
  });

  it('is shown to no other account, and to nobody without a key', async () => {
    const answer = await send(gateway, { body: JSON.stringify({ model: plainModel, messages }) });
    await receiptOf(idIn(answer));
    const { apiKey } = await gateway.openAccount({ usd: '1' });
    const path = `/v1/receipts/${idIn(answer)}`;
    expect((await get(path, apiKey)).status).toBe(404);
    expect((await get(path, null)).status).toBe(401);
  });

  it('is not promised to a request that is refused', async () => {
    const refused = await send(gateway, { body: '{}' });
    expect([refused.status, refused.headers['x-receipt-id']]).toEqual([400, undefined]);
  });
});

describe('the verifier', () => {
  function verify(file: string, more: string[] = []): Promise<{ code: number; text: string }> {
    const keys = ['--keys', `${gateway.baseUrl}/.well-known/atoma-receipts`];
    const roots = ['--roots', `${gateway.baseUrl}/v1/receipts/roots`];
    const args = [join(root, 'receipts/verify.ts'), file, ...keys, ...roots, ...more];
    return new Promise((resolve) => {
      execFile(process.execPath, args, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), text: stdout + stderr }),
      );
    });
  }

  it('takes what the gateway gave, and refuses it with another body or another cost', async () => {
    const body = JSON.stringify({ model: plainModel, messages, stream: true });
    const answer = await send(gateway, { body });
    await receiptOf(idIn(answer));
    const { text } = await get(`/v1/receipts/${idIn(answer)}`);
    const file = (name: string) => join(folder, name);
    await writeFile(file('receipt.json'), text);
    await writeFile(file('sent'), body);
    await writeFile(file('got'), answer.text);
    const bodies = ['--request', file('sent'), '--response', file('got')];
    const valid = { code: 0, text: `valid: ${idIn(answer)}, sealed\n` };
    expect(await verify(file('receipt.json'), bodies)).toEqual(valid);
    const swapped = ['--response', file('sent')];
    expect(await verify(file('receipt.json'), swapped)).toEqual({
      code: 1,
      text: 'NOT valid: Error: the response is another one\n',
    });

    const settled = z.object({ cost_usd: z.string() });
    const { cost_usd: cost } = settled.parse(JSON.parse(text).receipt.event_log.at(-1));
    await writeFile(file('receipt.json'), text.replace(`"${cost}"`, '"0.000000000001"'));
    expect(await verify(file('receipt.json'))).toEqual({
      code: 1,
      text: 'NOT valid: Error: the receipt does not bear its signature\n',
    });
  });
});
