/** MovePackageService: the contracts, their functions and structs, and their versions. */
import type { GrpcTypes, SuiGrpcClient } from '@mysten/sui/grpc';
import { readAddress } from './addresses.ts';
import { datatypes } from './atoma-datatypes.ts';
import { moveFunctions } from './atoma-module.ts';
import type { Deployment } from './commands.ts';
import type { NodeContext } from './node-context.ts';
import { packageType } from './objects.ts';
import { pageOf } from './paging.ts';
import { type Handlers, statusError } from './serving.ts';
import { datatypeMessage, functionMessage, packageMessage } from './wire-package.ts';

const versionDigits = 20;

export function createPackageService(
  context: NodeContext,
): Handlers<SuiGrpcClient['movePackageService']> {
  const { store, deployments } = context.chain.ledger;
  return {
    getPackage({ packageId }) {
      const id = readAddress(packageId, 'package_id');
      const deployment = deployments.get(id);
      if (deployment) return { package: packageMessage(deployment) };
      const object = store.get(id);
      if (object?.type !== packageType) throw statusError('NOT_FOUND', `Package ${id} not found`);
      const { version } = object;
      const empty = { modules: [], typeOrigins: [], linkage: [] };
      return { package: { storageId: id, originalId: id, version, ...empty } };
    },
    getDatatype(request) {
      const deployment = deploymentOf(context, request);
      const datatype = datatypes.find(({ name }) => name === request.name);
      if (!datatype) throw statusError('NOT_FOUND', `Datatype ${request.name} not found`);
      return { datatype: datatypeMessage(datatype, deployment) };
    },
    getFunction(request) {
      const deployment = deploymentOf(context, request);
      const { name = '' } = request;
      const called = moveFunctions.get(name);
      if (!called) throw statusError('NOT_FOUND', `Function ${name} not found`);
      return { function: functionMessage(name, { called, deployment }) };
    },
    listPackageVersions(request) {
      const id = readAddress(request.packageId, 'package_id');
      const known = deployments.get(id);
      if (!known) throw statusError('NOT_FOUND', `Package ${id} not found`);
      const versions = [...deployments.values()]
        .filter(({ definingId }) => definingId === known.definingId)
        .map(({ packageId, version }) => ({ packageId, version }));
      const { page, next } = pageOf(versions, {
        request,
        keyOf: ({ version }) => String(version).padStart(versionDigits, '0'),
        scope: `${context.provider} versions ${id}`,
        emptyPages: context.faults.current().emptyPages,
      });
      return { versions: page, ...next };
    },
  };
}

function deploymentOf(
  { chain }: NodeContext,
  request: GrpcTypes.GetFunctionRequest | GrpcTypes.GetDatatypeRequest,
): Deployment {
  const id = readAddress(request.packageId, 'package_id');
  const deployment = chain.ledger.deployments.get(id);
  if (!deployment || request.moduleName !== 'db') {
    throw statusError('NOT_FOUND', `Module ${id}::${request.moduleName} not found`);
  }
  return deployment;
}
