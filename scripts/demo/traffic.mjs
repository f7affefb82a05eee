/** Asks a model server for predictions, once or without a pause. */

/** Asks `/predict/<model>` about rows. Gives the predictions and the version that answered. */
export async function predict(url, model, rows) {
  const reply = await fetch(`${url}/predict/${model}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(rows),
  });
  const body = await reply.json();
  if (!reply.ok) throw new Error(`${model} answered ${reply.status}: ${JSON.stringify(body)}`);
  return body;
}

/** Asks by the Open Inference Protocol about one tensor. Gives the first output's values. */
export async function infer(url, model, name, rows) {
  const input = { name, datatype: 'FP32', shape: [rows.length, rows[0].length], data: rows.flat() };
  const reply = await fetch(`${url}/v2/models/${model}/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: [input] }),
  });
  const body = await reply.json();
  if (!reply.ok) throw new Error(`${model} answered ${reply.status}: ${JSON.stringify(body)}`);
  return body.outputs[0].data;
}

/**
 * Sends requests without a pause until it is stopped, and counts answers by version.
 * `until(version)` waits until that version has answered.
 */
export function keepAsking(url, model, rows, { clients = 2 } = {}) {
  const counts = { total: 0, failed: 0, byVersion: new Map(), firstFailure: undefined };
  let latest;
  let going = true;
  const client = async () => {
    while (going) {
      counts.total += 1;
      try {
        latest = String((await predict(url, model, rows)).version);
        counts.byVersion.set(latest, (counts.byVersion.get(latest) ?? 0) + 1);
      } catch (error) {
        counts.failed += 1;
        counts.firstFailure ??= error.message;
        await pause(20);
      }
    }
  };
  const clientsDone = Array.from({ length: clients }, client);
  return {
    counts,
    async until(version, { withinMs = 30_000 } = {}) {
      const started = Date.now();
      while (latest !== String(version)) {
        if (Date.now() - started > withinMs) throw new Error(`version ${version} did not answer within ${withinMs / 1000} s`);
        await pause(10);
      }
      return Date.now() - started;
    },
    async stop() {
      going = false;
      await Promise.all(clientsDone);
      return counts;
    },
  };
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
