/** k6: answers in one piece. */
import { ask, options as common, duration, vus, writeSummary } from './ask.ts';

export const handleSummary = writeSummary;

export const options = { ...common, vus, duration };

export default function json(): void {
  ask({ apiKey: String(__ENV.JSON_KEY), stream: false, usage: 'asked' });
}
