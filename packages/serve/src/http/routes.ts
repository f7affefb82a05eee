import type { Exchange } from './exchange.ts';
import { invocations, ping, versionText } from './invocations/invocations.ts';
import { modelOpenapi, serverOpenapi } from './openapi/routes.ts';
import { docsPage, homePage } from './pages/pages.ts';
import { send } from './reply.ts';
import type { Handler, Route } from './router.ts';
import { predictRows } from './rows/predict.ts';
import { infer } from './v2/infer.ts';
import { modelConfig, modelMetadata, modelReady, modelStatistics } from './v2/model.ts';
import { loadModel, repositoryIndex, unloadModel } from './v2/repository.ts';
import { live, modelNames, ready, serverMetadata } from './v2/server.ts';

/** Every way into the server. */
export function allRoutes(): readonly Route[] {
  return [
    get('/', 'home', homePage),
    get('/docs', 'docs', docsPage),
    get('/openapi.json', 'openapi', serverOpenapi),
    get('/metrics', 'metrics', metricsText),
    get('/health/live', 'live', live),
    get('/health/ready', 'ready', ready),
    get('/healthz', 'ready', ready),
    get('/ping', 'ping', ping),
    get('/health', 'ping', ping),
    get('/version', 'version', versionText),
    get('/v2', 'v2', serverMetadata),
    get('/v2/health/live', 'live', live),
    get('/v2/health/ready', 'ready', ready),
    get('/v2/models', 'models', modelNames),
    get('/v2/models/stats', 'stats', modelStatistics),
    post('/v2/repository/index', 'repository_index', repositoryIndex),
    post('/invocations', 'invocations', invocations),
    ...perModel(':model'),
    // Clients that do not percent-encode the slash of a namespaced name.
    ...perModel(':namespace/:model'),
  ];
}

function perModel(model: string): readonly Route[] {
  const versioned = `${model}/versions/:version`;
  return [
    post(`/predict/${model}`, 'predict', predictRows),
    post(`/predict/${versioned}`, 'predict', predictRows),
    post(`/models/${model}/invocations`, 'invocations', invocations),
    post(`/models/${versioned}/invocations`, 'invocations', invocations),
    post(`/v2/repository/models/${model}/load`, 'load', loadModel),
    post(`/v2/repository/models/${model}/unload`, 'unload', unloadModel),
    get(`/v2/models/${model}/openapi.json`, 'openapi', modelOpenapi),
    ...[model, versioned].flatMap((named) => [
      get(`/v2/models/${named}`, 'metadata', modelMetadata),
      get(`/v2/models/${named}/ready`, 'model_ready', modelReady),
      get(`/v2/models/${named}/config`, 'config', modelConfig),
      get(`/v2/models/${named}/stats`, 'stats', modelStatistics),
      post(`/v2/models/${named}/infer`, 'infer', infer),
    ]),
  ];
}

function get(path: string, name: string, handler: Handler): Route {
  return { method: 'GET', path, name, handler };
}

function post(path: string, name: string, handler: Handler): Route {
  return { method: 'POST', path, name, handler };
}

async function metricsText(exchange: Exchange): Promise<void> {
  const { registry } = exchange.context.metrics;
  await send(exchange, { contentType: registry.contentType, body: await registry.metrics() });
}
