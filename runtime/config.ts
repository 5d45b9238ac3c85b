/** Reads settings from the environment: every problem at once, and a frozen result. */
import { z } from 'zod';

/** A value, or the list of what is wrong with the environment. */
export type ConfigResult<T> =
  | { readonly kind: 'config'; readonly config: Readonly<T> }
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

/** Checks the variables that the schema names; others are not looked at. An empty variable counts as absent. */
export function parseConfig<T>(
  schema: z.ZodType<T>,
  env: Readonly<Record<string, string | undefined>>,
): ConfigResult<T> {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = schema.safeParse(present);
  if (result.success) return { kind: 'config', config: Object.freeze(result.data) };
  return {
    kind: 'problems',
    problems: result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
  };
}

/** The settings, or an error that lists all that is wrong; only for `main.ts`, where a bad setting stops the start. */
export function configOrThrow<T>(
  schema: z.ZodType<T>,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<T> {
  const result = parseConfig(schema, env);
  if (result.kind === 'config') return result.config;
  throw new Error(`The configuration is not valid:\n  ${result.problems.join('\n  ')}`);
}

export type HostPort = { readonly host: string; readonly port: number };

/** Splits `host:port`; IPv6 hosts stand in brackets. Nothing where it is neither. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port <= 65_535 ? { host, port } : undefined;
}

const hostPort = z.string().transform((text, context) => {
  const parsed = parseHostPort(text);
  if (parsed) return parsed;
  context.addIssue({ code: 'custom', message: `expected host:port, got "${text}"` });
  return z.NEVER;
});

/** `host:port`, for example where a process listens. */
export const hostPortSetting = (fallback: string) => z.string().default(fallback).pipe(hostPort);

/** Several `host:port`, separated by commas, for example the replicas of a service. */
export const hostPortsSetting = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(hostPort).min(1));

/** A whole number between two bounds. */
export const integerSetting = (options: { fallback: number; min: number; max: number }) =>
  z.coerce.number().int().min(options.min).max(options.max).default(options.fallback);

export const redisUrlSetting = z.string().default('redis://127.0.0.1:6379');

export const logLevelSetting = z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info');
