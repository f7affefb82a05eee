/**
 * The *native API* lies under `/api/v1`: JSON in and out, problems as `application/problem+json`. One set of schemas
 * checks requests, types handlers and writes the OpenAPI document. Every answer of a GET has a strong ETag; every write
 * takes an `Idempotency-Key`; what a model's log said last goes with the answer as `ingot-seq`.
 */

import swagger from '@fastify/swagger';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import {
  createJsonSchemaTransform,
  createJsonSchemaTransformObject,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Services } from '../../services.ts';
import type { Protocol } from '../app.ts';
import { conditionalReads } from './conditional.ts';
import { idempotentWrites } from './idempotency.ts';
import { waitForSeq } from './model-seq.ts';
import { completeDocument, documentInfo, type PathsBeside, withPaths } from './openapi-document.ts';

/** The part of the application that the native API is registered in; routes are typed by their schemas. */
export type NativeApp = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Registers some routes of the native API; paths are relative to `/api/v1`. */
export type NativeRoutes = (app: NativeApp, services: Services) => Promise<void> | void;

/** Where the native API lies. */
export const NATIVE_PREFIX = '/api/v1';

/**
 * Makes the native API of groups of routes.
 * @param beside what else its OpenAPI document names. Default: nothing.
 */
export function nativeApi(groups: readonly NativeRoutes[], beside?: PathsBeside): Protocol {
  return async (app, services) => {
    await app.register(async (scope) => addRoutes(scope, services, groups, beside), { prefix: NATIVE_PREFIX });
  };
}

/** Checks that no JSON schema can say are left out of it. */
const DOCUMENTING = { zodToJsonConfig: { unrepresentable: 'any' } } as const;

const withSchemas = createJsonSchemaTransformObject(DOCUMENTING);

/** A request without a body comes with null for one: for a schema it is missing. */
const missingIsUndefined: typeof validatorCompiler = (route) => {
  const validate = validatorCompiler(route);
  return (given: unknown) => validate(given ?? undefined);
};

async function addRoutes(
  scope: FastifyInstance,
  services: Services,
  groups: readonly NativeRoutes[],
  beside: PathsBeside | undefined,
): Promise<void> {
  scope.setValidatorCompiler(missingIsUndefined);
  // What the server itself has typed is written as it is: checking every answer would cost more than making it.
  scope.setSerializerCompiler(() => (data) => JSON.stringify(data));
  const keyless = new Set<string>();
  const transform = createJsonSchemaTransform(DOCUMENTING);
  await scope.register(swagger, {
    openapi: documentInfo(services.version),
    transform: (input) => {
      if (input.route.config?.idempotency === false) keyless.add(String(input.schema?.operationId));
      return transform(input);
    },
    transformObject: (document) => withPaths(completeDocument(withSchemas(document), keyless), beside),
  });
  waitForSeq(scope, services);
  conditionalReads(scope);
  idempotentWrites(scope, services);
  const app = scope.withTypeProvider<ZodTypeProvider>();
  for (const routes of groups) await routes(app, services);
}
