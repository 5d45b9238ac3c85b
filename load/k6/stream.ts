/** k6: streams, half of them with the usage event that a caller can ask for. */
import { ask, options as common, duration, vus, writeSummary } from './ask.ts';

const half = { executor: 'constant-vus', vus: Math.ceil(vus / 2), duration };

export const handleSummary = writeSummary;

export const options = {
  ...common,
  scenarios: { plain: { ...half, exec: 'plain' }, told: { ...half, exec: 'told' } },
};

export function plain(): void {
  ask({ apiKey: String(__ENV.PLAIN_KEY), stream: true, usage: 'not-asked' });
}

export function told(): void {
  ask({ apiKey: String(__ENV.TOLD_KEY), stream: true, usage: 'asked' });
}
