/** Which tasks of the contract the gateway serves, and as what. Pure. */
import type { Rows } from '../../chain/indexer/state.ts';
import type { Endpoint } from '../../domain/model.ts';
import { modelIdPattern } from './declaration.ts';

type Task = Rows['tasks'];

export type ServedTask = {
  readonly taskId: Task['taskId'];
  readonly model: string;
  readonly endpoints: readonly Endpoint[];
};

/** By role (Atoma on Sui, section 3); roles that are not here have no endpoint. */
const endpointsByRole: ReadonlyMap<number, readonly Endpoint[]> = new Map([
  [0, ['chat', 'completions']],
  [1, ['embeddings']],
  [2, ['chat']],
  [3, ['images']],
]);

/** Any badge can freeze a settlement of sampling consensus for good (Atoma on Sui, section 10). */
const samplingLevel = 2;

export type JudgedTasks = {
  /** By task id. */
  readonly served: ReadonlyMap<string, ServedTask>;
  readonly passedOver: readonly { readonly taskId: Task['taskId']; readonly reason: string }[];
};

/** The oldest task of a name says what its model is; a later one of another role would make two models of one name. */
export function judgeTasks(tasks: Iterable<Task>): JudgedTasks {
  const served = new Map<string, ServedTask>();
  const passedOver: { taskId: Task['taskId']; reason: string }[] = [];
  const roles = new Map<string, number>();
  for (const task of [...tasks].sort(byId)) {
    const { taskId, role } = task;
    const judged = judge(task);
    if ('reason' in judged) {
      passedOver.push({ taskId, reason: judged.reason });
      continue;
    }
    const first = roles.get(judged.model) ?? role;
    roles.set(judged.model, first);
    if (first === role) served.set(String(taskId), judged);
    else passedOver.push({ taskId, reason: `an older task serves the model as role ${first}` });
  }
  return { served, passedOver };
}

function judge(task: Task): ServedTask | { readonly reason: string } {
  const { taskId, role, model, securityLevel, deprecatedAtEpoch } = task;
  const endpoints = endpointsByRole.get(role);
  if (deprecatedAtEpoch !== undefined) return { reason: 'deprecated' };
  if (model === undefined) return { reason: 'names no model' };
  if (!modelIdPattern.test(model)) return { reason: 'its model has a name that cannot be used' };
  if (!endpoints) return { reason: `no endpoint serves role ${role}` };
  if (securityLevel === samplingLevel) return { reason: 'sampling consensus is not bought' };
  return { taskId, model, endpoints };
}

const byId = (left: Task, right: Task) => Number(left.taskId - right.taskId);
