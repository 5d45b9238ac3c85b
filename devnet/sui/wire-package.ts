/** Packages, structs and functions of `atoma` as the RPC tells them. */
import { GrpcTypes } from '@mysten/sui/grpc';
import { normalizeStructTag } from '@mysten/sui/utils';
import { type Datatype, datatypes } from './atoma-datatypes.ts';
import { type MoveFunction, moveFunctions, objectWanted, type Parameter } from './atoma-module.ts';
import type { Deployment } from './commands.ts';

const {
  Ability,
  DatatypeDescriptor_DatatypeKind: DatatypeKind,
  FunctionDescriptor_Visibility: Visibility,
  OpenSignature_Reference: Reference,
  OpenSignatureBody_Type: Type,
} = GrpcTypes;

const abilities = {
  copy: Ability.COPY,
  drop: Ability.DROP,
  store: Ability.STORE,
  key: Ability.KEY,
} as const;

const primitives = new Map([
  ['bool', Type.BOOL],
  ['u8', Type.U8],
  ['u16', Type.U16],
  ['u64', Type.U64],
  ['address', Type.ADDRESS],
]);

const framework = new Map([
  ['ID', '0x2::object::ID'],
  ['UID', '0x2::object::UID'],
  ['String', '0x1::ascii::String'],
  ['Option', '0x1::option::Option'],
  ['Coin', '0x2::coin::Coin'],
  ['Random', '0x2::random::Random'],
  ['TxContext', '0x2::tx_context::TxContext'],
]);

export function packageMessage(deployment: Deployment): GrpcTypes.Package {
  const { packageId, definingId, version } = deployment;
  const functions = [...moveFunctions].map(([name, called]) =>
    functionMessage(name, { called, deployment }),
  );
  const structs = datatypes.map((datatype) => datatypeMessage(datatype, deployment));
  return {
    storageId: packageId,
    originalId: definingId,
    version,
    modules: [{ name: 'db', datatypes: structs, functions }],
    typeOrigins: datatypes.map(({ name }) => ({
      moduleName: 'db',
      datatypeName: name,
      packageId: definingId,
    })),
    linkage: [],
  };
}

export function datatypeMessage(
  datatype: Datatype,
  deployment: Deployment,
): GrpcTypes.DatatypeDescriptor {
  const { name, fields } = datatype;
  const { definingId } = deployment;
  return {
    typeName: `${definingId}::db::${name}`,
    definingId,
    module: 'db',
    name,
    abilities: Object.entries(abilities).flatMap(([ability, value]) =>
      datatype.abilities.split(', ').includes(ability) ? [value] : [],
    ),
    typeParameters: [],
    kind: DatatypeKind.STRUCT,
    fields: fields.map((field, position) => ({
      name: field.name,
      position,
      type: bodyOf(field.type, deployment),
    })),
    variants: [],
  };
}

export function functionMessage(
  name: string,
  { called, deployment }: { readonly called: MoveFunction; readonly deployment: Deployment },
): GrpcTypes.FunctionDescriptor {
  const parameters = called.parameters.map((parameter) => signatureOf(parameter, deployment));
  const context = { reference: Reference.MUTABLE, body: bodyOf('TxContext', deployment) };
  return {
    name,
    visibility: called.isPublic ? Visibility.PUBLIC : Visibility.PRIVATE,
    isEntry: true,
    typeParameters: [],
    parameters: [...parameters, context],
    returns: [],
  };
}

function signatureOf(parameter: Parameter, deployment: Deployment): GrpcTypes.OpenSignature {
  const wanted = objectWanted(parameter);
  if (!wanted) return { body: bodyOf(parameter, deployment) };
  const reference = wanted.isMutable ? Reference.MUTABLE : Reference.IMMUTABLE;
  return { reference, body: bodyOf(wanted.name, deployment) };
}

function bodyOf(type: string, deployment: Deployment): GrpcTypes.OpenSignatureBody {
  const [, outer = type, inner] = /^(\w+)<(.+)>$/.exec(type) ?? [];
  const parameters = inner === undefined ? [] : [bodyOf(inner, deployment)];
  const primitive = primitives.get(outer);
  if (primitive !== undefined) return { type: primitive, typeParameterInstantiation: [] };
  if (outer === 'vector') return { type: Type.VECTOR, typeParameterInstantiation: parameters };
  const { definingId, usdcType } = deployment;
  const coin = { type: Type.DATATYPE, typeName: usdcType, typeParameterInstantiation: [] };
  return {
    type: Type.DATATYPE,
    typeName: normalizeStructTag(framework.get(outer) ?? `${definingId}::db::${outer}`),
    typeParameterInstantiation: outer === 'Coin' ? [coin] : parameters,
  };
}
