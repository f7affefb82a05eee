import type { Feature } from '@ingot/core/signature';
import type { ServedVersion } from '../../model-host.ts';
import type { Exchange } from '../exchange.ts';
import { shown } from '../openapi/routes.ts';
import { send } from '../reply.ts';
import { exampleRow } from '../signature/example-row.ts';
import { expectedValue } from '../signature/value.ts';
import { type Html, PAGE_HEADERS, html, page } from './html.ts';

/** `GET /`: the models, each with a line to paste. */
export function homePage(exchange: Exchange): void | Promise<void> {
  const { host, version } = exchange.context;
  const rows = host
    .index()
    .map(
      (served) =>
        html`<tr><td>${served.model}</td><td>${served.version}${served.label === undefined ? '' : ` (${served.label})`}</td><td class="state">${served.state}${served.reason === undefined ? '' : `: ${served.reason}`}</td><td><code>${served.digest.slice(0, 19)}…</code></td></tr>`,
    );
  const body = html`<h1>Ingot model server</h1><p>Version ${version}. <a href="/docs">How to call the models</a>, <a href="/openapi.json">OpenAPI</a>, <a href="/metrics">metrics</a>.</p><table><thead><tr><th>model</th><th>version</th><th>state</th><th>digest</th></tr></thead><tbody>${rows}</tbody></table>${modelsOf(exchange).map((served) => html`<pre>${curlLine(exchange, served)}</pre>`)}`;
  return send(exchange, {
    contentType: 'text/html; charset=utf-8',
    body: page('Ingot model server', body),
    headers: PAGE_HEADERS,
  });
}

/** `GET /docs`: inputs, outputs and an example call of each model. */
export function docsPage(exchange: Exchange): void | Promise<void> {
  const sections = modelsOf(exchange).map(
    (served) =>
      html`<h2 id="${served.model}">${served.model}</h2><p>${served.description ?? ''}</p><h3>Takes</h3>${featureTable(served.signature?.inputs ?? [])}<h3>Answers</h3>${featureTable(served.signature?.outputs ?? [])}<pre>${curlLine(exchange, served)}</pre><p><a href="/v2/models/${encodeURIComponent(served.model)}/openapi.json">OpenAPI of ${served.model}</a></p>`,
  );
  const body = html`<p><a href="/">Models</a></p><h1>How to call the models</h1><p>Send rows as JSON. NaN and infinity, which JSON does not have, are answered as null; binary tensors keep them.</p>${sections}`;
  return send(exchange, {
    contentType: 'text/html; charset=utf-8',
    body: page('How to call the models', body),
    headers: PAGE_HEADERS,
  });
}

function modelsOf(exchange: Exchange): readonly ServedVersion[] {
  const { host } = exchange.context;
  return host.models().flatMap((name) => shown(host.index().filter((served) => served.model === name)));
}

function featureTable(features: readonly Feature[]): Html {
  if (features.length === 0) return html`<p>The package does not say.</p>`;
  const rows = features.map(
    (feature) =>
      html`<tr><td><code>${feature.name}</code></td><td>${expectedValue(feature)}</td><td>${feature.description ?? ''}</td></tr>`,
  );
  return html`<table><tbody>${rows}</tbody></table>`;
}

/** A line that asks the model with its example row, ready for a shell. */
export function curlLine(exchange: Exchange, served: ServedVersion): string {
  const example = JSON.stringify([exampleRow(served) ?? {}]).replaceAll("'", String.raw`'\''`);
  const host = exchange.header('host') ?? '127.0.0.1:8080';
  const address = /^[\w.:[\]-]{1,255}$/.test(host) ? host : '127.0.0.1:8080';
  return `curl http://${address}/predict/${encodeURIComponent(served.model)} -H 'content-type: application/json' -d '${example}'`;
}
