import type { JsonObject } from '@ingot/core/json';

const GENERAL: readonly (readonly ['get' | 'post', string, string])[] = [
  ['get', '/health/live', 'The process answers'],
  ['get', '/health/ready', 'Every configured model has been ready'],
  ['get', '/v2', 'Name, version and extensions of the server'],
  ['get', '/v2/health/live', 'The process answers (Open Inference Protocol)'],
  ['get', '/v2/health/ready', 'Every configured model has been ready (Open Inference Protocol)'],
  ['get', '/v2/models', 'Names of the models'],
  ['get', '/v2/models/stats', 'Counters and times of all versions'],
  ['post', '/v2/repository/index', 'All versions and their states'],
  ['post', '/invocations', 'MLflow’s scoring protocol, where exactly one model is served'],
  ['get', '/metrics', 'Metrics for Prometheus'],
];

/** The routes that are about the server, not about one model. */
export function generalPaths(): JsonObject {
  return Object.fromEntries(
    GENERAL.map(([method, path, summary]) => [
      path,
      { [method]: { tags: ['server'], summary, responses: { 200: { description: 'OK' } } } },
    ]),
  );
}
