/**
 * Judges manifests by what their makers publish: the OpenAPI documents of Kubernetes, the custom resource definitions of
 * KServe and the Prometheus operator, the JSON Schema of the Compose specification. Fields that a schema does not name are
 * errors, as with `kubectl apply --validate=strict`.
 */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject, type JsonObject, type JsonValue } from '@ingot/core/json';
import { Ajv } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { parse } from 'yaml';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';

/** Says what is wrong with an object; nothing when all is well. */
export type Judge = (object: JsonObject) => readonly string[];

/** Brings the schemas of Kubernetes and of the resources that others define in it. */
export async function kubernetesJudge(): Promise<Judge> {
  const native = join(await testServer('kubernetes-schemas'), 'api/openapi-spec/v3');
  const documents = await Promise.all((await readdir(native)).map(async (name) => readJson(join(native, name))));
  const custom = [
    ...(await readYamls(join(await testServer('kserve-schemas'), 'config/crd/full'))),
    ...(await readYamls(join(await testServer('monitoring-schemas'), 'example/prometheus-operator-crd'))),
  ];
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, inlineRefs: false });
  const references = new Map<string, string>();
  for (const [index, document] of documents.entries()) {
    ajv.addSchema(strictly(document), `doc${index}`);
    for (const [name, schema] of Object.entries(objectAt(document, 'components', 'schemas')))
      for (const kind of kindsOf(schema)) references.set(kind, `doc${index}#/components/schemas/${escaped(name)}`);
  }
  for (const definition of custom)
    for (const [kind, schema] of customKinds(definition)) {
      ajv.addSchema(strictly(withMetadata(schema)), kind);
      references.set(kind, kind);
    }
  return (object) => {
    const kind = `${String(object.apiVersion)}/${String(object.kind)}`;
    const reference = references.get(kind);
    if (reference === undefined) return [`no schema of ${kind}`];
    const validate = ajv.getSchema(reference);
    if (validate === undefined) return [`no schema at ${reference}`];
    return validate(object) ? [] : (validate.errors ?? []).map(said);
  };
}

/** Brings the schema of compose files. */
export async function composeJudge(): Promise<Judge> {
  const schema = await readJson(join(await testServer('compose-schema'), 'schema/compose-spec.json'));
  const { $schema: _, ...rest } = schema;
  const validate = new Ajv2019({ strict: false, allErrors: true, validateFormats: false }).compile(rest);
  return (object) => (validate(object) ? [] : (validate.errors ?? []).map(said));
}

function said({ instancePath, message, params }: { instancePath: string; message?: string; params: unknown }): string {
  return `${instancePath} ${message ?? ''} ${JSON.stringify(params)}`;
}

async function readJson(path: string): Promise<JsonObject> {
  return asObject(JSON.parse(await readFile(path, 'utf8')));
}

async function readYamls(directory: string): Promise<JsonObject[]> {
  const names = (await readdir(directory)).sort();
  return Promise.all(names.map(async (name) => asObject(parse(await readFile(join(directory, name), 'utf8')))));
}

function asObject(value: JsonValue | undefined): JsonObject {
  if (isJsonObject(value)) return value;
  throw new Error(`no object: ${JSON.stringify(value)?.slice(0, 80)}`);
}

function objectAt(value: JsonObject, ...path: readonly string[]): JsonObject {
  return path.reduce<JsonObject>((at, key) => asObject(at[key]), value);
}

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

function kindsOf(schema: JsonValue): string[] {
  const named = isJsonObject(schema) ? schema['x-kubernetes-group-version-kind'] : undefined;
  return (Array.isArray(named) ? named : []).map((one: JsonValue) => {
    const { group, version, kind } = asObject(one);
    return `${group === '' ? '' : `${String(group)}/`}${String(version)}/${String(kind)}`;
  });
}

/** The schemas of a custom resource definition by `group/version/Kind`. */
function customKinds(definition: JsonObject): [string, JsonObject][] {
  const { group, names, versions } = objectAt(definition, 'spec');
  const kind = String(asObject(names).kind);
  return (Array.isArray(versions) ? versions : []).map((version: JsonValue) => {
    const { name, schema } = asObject(version);
    return [`${String(group)}/${String(name)}/${kind}`, objectAt(asObject(schema), 'openAPIV3Schema')];
  });
}

/** Definitions leave metadata to the API server, which knows it. */
function withMetadata(schema: JsonObject): JsonObject {
  const texts: JsonObject = { type: 'object', additionalProperties: { type: 'string' } };
  const name: JsonObject = { type: 'string' };
  const metadata = { type: 'object', properties: { name, namespace: name, labels: texts, annotations: texts } };
  return { ...schema, properties: { ...objectAt(schema, 'properties'), metadata } };
}

/** Closes every object that lists its fields and does not say that it keeps others. */
function strictly<Value extends JsonValue>(schema: Value): Value;
function strictly(schema: JsonValue): JsonValue {
  if (Array.isArray(schema)) return schema.map((item: JsonValue) => strictly(item));
  if (!isJsonObject(schema)) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strictly(value)]));
  const isOpen =
    schema['x-kubernetes-preserve-unknown-fields'] === true ||
    schema['x-kubernetes-embedded-resource'] === true ||
    schema.additionalProperties !== undefined ||
    !isJsonObject(schema.properties) ||
    schema.type !== 'object';
  const isEither = schema['x-kubernetes-int-or-string'] === true;
  const { type, ...untyped } = inner;
  const typed = isEither || type === undefined ? untyped : { ...untyped, type };
  return isOpen ? typed : { ...typed, additionalProperties: false };
}
