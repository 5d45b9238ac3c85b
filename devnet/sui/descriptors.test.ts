/**
 * The schema that the SDK brings, and with it the stand-in serves, against the descriptors that Sui publishes with its own
 * client: every call, message and field that the SDK has is the official one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  FileDescriptorSetSchema,
  FieldDescriptorProto_Label as Label,
  type ServiceDescriptorProto,
} from '@bufbuild/protobuf/wkt';
import { GrpcTypes } from '@mysten/sui/grpc';
import { describe, expect, it } from 'vitest';

const services = [
  GrpcTypes.LedgerService,
  GrpcTypes.MovePackageService,
  GrpcTypes.NameService,
  GrpcTypes.SignatureVerificationService,
  GrpcTypes.StateService,
  GrpcTypes.SubscriptionService,
  GrpcTypes.TransactionExecutionService,
];

type Message = (typeof services)[number]['methods'][number]['I'];
type Field = Message['fields'][number];

const official = readOfficial();

function readOfficial() {
  const messages = new Map<string, DescriptorProto>();
  const enums = new Map<string, EnumDescriptorProto>();
  const found = new Map<string, ServiceDescriptorProto>();
  const walk = (message: DescriptorProto, scope: string) => {
    const name = `${scope}.${message.name}`;
    messages.set(name, message);
    for (const inner of message.nestedType) walk(inner, name);
    for (const inner of message.enumType) enums.set(`${name}.${inner.name}`, inner);
  };
  const bytes = readFileSync(join(import.meta.dirname, 'sui-rpc.binpb'));
  for (const file of fromBinary(FileDescriptorSetSchema, bytes).file) {
    for (const message of file.messageType) walk(message, file.package);
    for (const one of file.enumType) enums.set(`${file.package}.${one.name}`, one);
    for (const service of file.service) found.set(`${file.package}.${service.name}`, service);
  }
  return { messages, enums, services: found };
}

/** Of what the official schema says of a field, all that decides its bytes and its meaning. */
function fromOfficial(field: FieldDescriptorProto) {
  const { name, number, type, typeName } = field;
  const entry = official.messages.get(typeName.slice(1));
  const isMap = entry?.options?.mapEntry ?? false;
  const [key, value] = isMap && entry ? entry.field : [];
  const isScalar = typeName === '';
  return {
    name,
    number,
    isRepeated: field.label === Label.REPEATED && !isMap,
    isOptional: field.proto3Optional && isScalar,
    type:
      key && value ? `map<${typeOf(key)}, ${typeOf(value)}>` : isScalar ? type : typeName.slice(1),
  };
}

const typeOf = ({ type, typeName }: FieldDescriptorProto) =>
  typeName === '' ? type : typeName.slice(1);

type Enumeration = Extract<Field, { kind: 'enum' }>['T'];
const enumName = (enumeration: Enumeration): string => enumeration()[0];

function fromSdk(field: Field) {
  return {
    name: field.name,
    number: field.no,
    isRepeated: 'repeat' in field && field.repeat !== 0,
    isOptional: field.kind === 'scalar' && field.opt,
    type: sdkTypeOf(field),
  };
}

function sdkTypeOf(field: Field): string | number {
  switch (field.kind) {
    case 'scalar':
      return field.T;
    case 'enum':
      return enumName(field.T);
    case 'message':
      return field.T().typeName;
    case 'map': {
      const { V: value } = field;
      if (value.kind === 'scalar') return `map<${field.K}, ${value.T}>`;
      return `map<${field.K}, ${value.kind === 'enum' ? enumName(value.T) : value.T().typeName}>`;
    }
  }
}

/** Every message that the calls lead to. */
function reachable(): ReadonlyMap<string, Message> {
  const found = new Map<string, Message>();
  const visit = (message: Message) => {
    if (found.has(message.typeName)) return;
    found.set(message.typeName, message);
    for (const field of message.fields) {
      if (field.kind === 'message') visit(field.T());
      if (field.kind === 'map' && field.V.kind === 'message') visit(field.V.T());
    }
  };
  for (const { I: request, O: response } of services.flatMap(({ methods }) => methods)) {
    visit(request);
    visit(response);
  }
  return found;
}

const byNumber = (left: { number: number }, right: { number: number }) =>
  left.number - right.number;

describe('the schema of the SDK', () => {
  it('has exactly the official calls', () => {
    for (const { typeName, methods } of services) {
      const calls = methods.map(
        ({ name, I, O, serverStreaming = false, clientStreaming = false }) => ({
          name,
          request: I.typeName,
          response: O.typeName,
          serverStreaming,
          clientStreaming,
        }),
      );
      const published = official.services.get(typeName)?.method.map((method) => ({
        name: method.name,
        request: method.inputType.slice(1),
        response: method.outputType.slice(1),
        serverStreaming: method.serverStreaming,
        clientStreaming: method.clientStreaming,
      }));
      expect({ typeName, calls }).toEqual({ typeName, calls: published });
    }
  });

  it('has exactly the official fields in every message that a call leads to', () => {
    const messages = reachable();
    expect(messages.size).toBeGreaterThan(150);
    for (const [typeName, { fields }] of messages) {
      const published = official.messages.get(typeName)?.field.map(fromOfficial);
      expect({ typeName, fields: fields.map(fromSdk).sort(byNumber) }).toEqual({
        typeName,
        fields: published?.sort(byNumber),
      });
    }
  });

  it('has no other than the official numbers in any enumeration', () => {
    const enumerations = new Map<string, Enumeration>();
    for (const { fields } of reachable().values()) {
      for (const field of fields) {
        if (field.kind === 'enum') enumerations.set(enumName(field.T), field.T);
      }
    }
    expect(enumerations.size).toBeGreaterThan(15);
    for (const [name, enumeration] of enumerations) {
      const [, values, prefix = ''] = enumeration();
      const numbers = Object.entries(values).filter(([, number]) => typeof number === 'number');
      const published = official.enums
        .get(name)
        ?.value.map((value): [string, number] => [value.name.replace(prefix, ''), value.number]);
      // The official schema may know values that came later.
      expect({ name, values: Object.fromEntries(published ?? []) }).toMatchObject({
        name,
        values: Object.fromEntries(numbers),
      });
    }
  });
});
