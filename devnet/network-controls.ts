/** What the operator of a local network orders over HTTP: faults, pace, and dishonest claims. */
import { z } from 'zod';
import { faultSchema, paceChangeSchema } from './faults.ts';
import type { Member } from './members.ts';

export type Reply = { readonly status: number; readonly json: unknown };

const percentMax = 10_000;
const orders = {
  fault: z.strictObject({
    fault: faultSchema.nullable(),
    requests: z.int().min(1).optional(),
  }),
  claims: z.strictObject({ overPercent: z.int().min(0).max(percentMax) }),
} as const;

export const controlPath = /^\/nodes\/([^/]+)\/(fault|pace|claims)$/;

/** Carries out an order at the path's last word. */
export function obey(member: Member, order: { what: string; json: unknown }): Reply {
  switch (order.what) {
    case 'pace':
      return setPace(member, order.json);
    case 'claims':
      return setClaims(member, order.json);
    default:
      return setFault(member, order.json);
  }
}

const refused = (error: z.ZodError): Reply => ({
  status: 400,
  json: { error: z.prettifyError(error) },
});

function setPace({ handle: node }: Member, json: unknown): Reply {
  const pace = paceChangeSchema.safeParse(json);
  if (!pace.success) return refused(pace.error);
  node.setPace(pace.data);
  return { status: 200, json: pace.data };
}

function setFault({ handle: node }: Member, json: unknown): Reply {
  const order = orders.fault.safeParse(json);
  if (!order.success) return refused(order.error);
  const { fault, requests } = order.data;
  if (fault) node.setFault(fault, requests === undefined ? undefined : { requests });
  else node.clearFault();
  return { status: 200, json: order.data };
}

function setClaims(member: Member, json: unknown): Reply {
  if (member.kind !== 'chain') return { status: 404, json: { error: 'not a node of the chain' } };
  const habit = orders.claims.safeParse(json);
  if (!habit.success) return refused(habit.error);
  member.life.setClaims(habit.data);
  return { status: 200, json: habit.data };
}
