import { afterEach, describe, expect, it } from 'vitest';
import { clusterOf, pinnedClusterOf } from '../../domain/names.ts';
import { type Snapshot, typeUrls } from '../translate/snapshot.ts';
import { fleetOf, testSettings } from '../translate/testing/fleet.ts';
import { translate } from '../translate/translate.ts';
import { connectTo, deltaRequest, request, startAdsServer } from './testing/ads-server.ts';

const closing: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(first?: Snapshot) {
  const server = await startAdsServer();
  closing.push(server.close);
  if (first) server.ads.publish(first);
  const client = connectTo(server.port);
  closing.push(client.close);
  return { ...server, client };
}

const snapshotOf = (weight: number, port = 1) =>
  translate(fleetOf('m', [{ port, weight }]), testSettings());
const m = clusterOf('m');
const refused = (responseNonce: string) =>
  ({ responseNonce, errorDetail: { code: 13, message: 'bad' } }) as const;

const namesIn = (response: { resources: { name: string }[] }) =>
  response.resources.map(({ name }) => name);

/** Asks as Envoy does at its start, and accepts everything. */
async function converge(client: ReturnType<typeof connectTo>) {
  const talk = client.delta();
  const accept = ({ typeUrl, nonce }: { typeUrl: string; nonce: string }) =>
    talk.say(deltaRequest({ typeUrl, responseNonce: nonce }));
  talk.say(deltaRequest({ typeUrl: typeUrls.cluster, node: { id: 'envoy' } }));
  const clusters = await talk.next();
  talk.say(deltaRequest({ typeUrl: typeUrls.endpoint, resourceNamesSubscribe: [m] }));
  const endpoints = await talk.next();
  accept(clusters);
  accept(endpoints);
  talk.say(deltaRequest({ typeUrl: typeUrls.listener }));
  const listeners = await talk.next();
  talk.say(deltaRequest({ typeUrl: typeUrls.route, resourceNamesSubscribe: ['gateway'] }));
  const routes = await talk.next();
  accept(listeners);
  accept(routes);
  return { talk, accept, clusters, endpoints, listeners, routes };
}

describe('the delta stream', () => {
  it('gives clusters, endpoints, listener and routes as they are asked for', async () => {
    const { ads, client } = await start(snapshotOf(1));
    const { clusters, endpoints, listeners, routes } = await converge(client);
    expect(namesIn(clusters)).toEqual(['ext-authz', 'ext-proc', 'access-log', 'api', m]);
    expect([endpoints, listeners, routes].map(namesIn)).toEqual([[m], ['gateway'], ['gateway']]);
    expect(await ads.waitForAck(1000)).toBe(true);
  });

  it('waits for a snapshot, and answers once there is one', async () => {
    const { ads, client } = await start();
    const talk = client.delta();
    talk.say(deltaRequest({ typeUrl: typeUrls.cluster }));
    ads.publish(snapshotOf(1));
    expect(namesIn(await talk.next())).toContain(m);
  });

  it('sends only what changed', async () => {
    const { ads, client } = await start(snapshotOf(1));
    const { talk, accept } = await converge(client);
    ads.publish(snapshotOf(2));
    const update = await talk.next();
    expect([update.typeUrl, namesIn(update)]).toEqual([typeUrls.endpoint, [m]]);
    expect(await ads.waitForAck(50)).toBe(false);
    accept(update);
    expect(await ads.waitForAck(1000)).toBe(true);
    expect(talk.unread).toBe(0);
  });

  it('sends the endpoints again behind a changed cluster', async () => {
    const { ads, client } = await start(snapshotOf(1));
    const { talk } = await converge(client);
    const [atoma] = [{ port: 1, weight: 1, protocol: 'atoma' } as const];
    const before = snapshotOf(1);
    ads.publish({
      ...before,
      version: 'next',
      resources: {
        ...before.resources,
        cluster: translate(fleetOf('m', [atoma]), testSettings()).resources.cluster,
      },
    });
    const [first, second] = [await talk.next(), await talk.next()];
    expect([first.typeUrl, namesIn(first)]).toEqual([typeUrls.cluster, [m, pinnedClusterOf('m')]]);
    expect([second.typeUrl, namesIn(second)]).toEqual([typeUrls.endpoint, [m]]);
  });

  it('removes clusters only after the new routes are accepted', async () => {
    const { ads, client } = await start(snapshotOf(1));
    const { talk, accept } = await converge(client);
    ads.publish({ ...translate({ models: [], nodes: [] }, testSettings({ jsonTimeoutMs: 1 })) });
    const listenerOrRoute = await talk.next();
    expect(listenerOrRoute.typeUrl).toBe(typeUrls.route);
    accept(listenerOrRoute);
    const removal = await talk.next();
    expect([removal.typeUrl, removal.removedResources]).toEqual([typeUrls.cluster, [m]]);
  });

  it('says that a name does not exist', async () => {
    const { client } = await start(snapshotOf(1));
    const talk = client.delta();
    talk.say(deltaRequest({ typeUrl: typeUrls.endpoint, resourceNamesSubscribe: [m, 'gone'] }));
    const response = await talk.next();
    expect([namesIn(response), response.removedResources]).toEqual([[m], ['gone']]);
  });

  it('sends a name again that is asked for again, and nothing of one that is given up', async () => {
    const { ads, client } = await start(snapshotOf(1));
    const { talk, accept } = await converge(client);
    const names = [m];
    talk.say(deltaRequest({ typeUrl: typeUrls.endpoint, resourceNamesSubscribe: names }));
    const again = await talk.next();
    expect(namesIn(again)).toEqual([m]);
    accept(again);
    talk.say(deltaRequest({ typeUrl: typeUrls.endpoint, resourceNamesUnsubscribe: names }));
    talk.say(deltaRequest({ typeUrl: typeUrls.route, resourceNamesSubscribe: ['gateway'] }));
    expect((await talk.next()).typeUrl).toBe(typeUrls.route);
    ads.publish(snapshotOf(2));
    talk.say(deltaRequest({ typeUrl: typeUrls.route, resourceNamesSubscribe: ['gateway'] }));
    expect((await talk.next()).typeUrl).toBe(typeUrls.route);
  });

  it('skips what an Envoy brings along from an earlier stream', async () => {
    const { client, ads } = await start(snapshotOf(1));
    const versions = Object.fromEntries(
      [...snapshotOf(1).resources.cluster.values()].map(({ name, version }) => [name, version]),
    );
    const talk = client.delta();
    talk.say(
      deltaRequest({
        typeUrl: typeUrls.cluster,
        initialResourceVersions: { ...versions, api: 'old', [clusterOf('left')]: 'old' },
      }),
    );
    const first = await talk.next();
    expect(namesIn(first)).toEqual(['api']);
    talk.say(deltaRequest({ typeUrl: typeUrls.cluster, responseNonce: first.nonce }));
    expect((await talk.next()).removedResources).toEqual([clusterOf('left')]);
    expect(await ads.waitForAck(20)).toBe(false);
  });

  it('counts a refusal, sends each resource by itself, and does not insist', async () => {
    const { ads, client, refusals } = await start(snapshotOf(1));
    const talk = client.delta();
    talk.say(deltaRequest({ typeUrl: typeUrls.cluster }));
    const all = await talk.next();
    talk.say(deltaRequest({ typeUrl: typeUrls.cluster, ...refused(all.nonce) }));
    for (const name of namesIn(all)) {
      const apart = await talk.next();
      expect(namesIn(apart)).toEqual([name]);
      talk.say(deltaRequest({ typeUrl: typeUrls.cluster, ...refused(apart.nonce) }));
    }
    talk.say(deltaRequest({ typeUrl: typeUrls.listener }));
    expect(namesIn(await talk.next())).toEqual(['gateway']);
    expect(await refusals()).toBe(6);
    expect(await ads.waitForAck(20)).toBe(false);
  });
});

describe('the state-of-the-world stream', () => {
  it('tells clusters in full, endpoints as they change, and ignores answers to older responses', async () => {
    const { ads, client, refusals } = await start(snapshotOf(1));
    const talk = client.stateOfTheWorld();
    talk.say(request({ typeUrl: typeUrls.cluster, node: { id: 'envoy' } }));
    const clusters = await talk.next();
    expect(clusters.resources).toHaveLength(5);
    talk.say(request({ typeUrl: typeUrls.endpoint, resourceNames: [m] }));
    const endpoints = await talk.next();
    talk.say(request({ typeUrl: typeUrls.cluster, responseNonce: clusters.nonce }));
    talk.say(
      request({ typeUrl: typeUrls.endpoint, resourceNames: [m], responseNonce: endpoints.nonce }),
    );

    ads.publish(snapshotOf(2));
    const update = await talk.next();
    expect([update.typeUrl, update.resources.length]).toEqual([typeUrls.endpoint, 1]);
    expect(update.versionInfo).not.toBe(endpoints.versionInfo);
    talk.say(request({ typeUrl: typeUrls.endpoint, resourceNames: [], ...refused('0') }));
    talk.say(request({ typeUrl: typeUrls.endpoint, resourceNames: [m], ...refused(update.nonce) }));

    ads.publish(translate({ models: [], nodes: [] }, testSettings()));
    expect((await talk.next()).resources).toHaveLength(4);
    expect(await refusals()).toBe(1);
  });
});
