import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ModelHost } from '../model-host.ts';

/** Which exchange it was, by names that the server knows: never by text from outside. */
export interface ExchangeLabels {
  readonly route: string;
  readonly model: string;
  readonly version: string;
  readonly status: number;
}

/** What an exchange took. */
export interface ExchangeCost {
  readonly seconds: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** Counts what the server does, for Prometheus. */
export interface ServeMetrics {
  /** A request came in; {@link finished} follows. */
  started(): void;
  finished(labels: ExchangeLabels, cost: ExchangeCost): void;
  /** A version was loaded, or failed to load. */
  loaded(model: string, version: string, result: 'ok' | 'failed', seconds: number): void;
  /** Reports the state of this host's models from now on. */
  watch(host: Pick<ModelHost, 'index'>): void;
  /** The registry, for further metrics of the same server. */
  readonly registry: Registry;
}

/** Counts of one combination of labels since the last scrape; counters of prom-client are brought up to date only then. */
interface Series {
  readonly labels: Omit<ExchangeLabels, 'status'>;
  readonly status: string;
  readonly duration: { observe(seconds: number): void };
  requests: number;
  receivedBytes: number;
  sentBytes: number;
}

const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const PER_MODEL = ['model', 'version', 'route'] as const;

/** Makes the metrics of one server, in a registry of their own. */
export function createServeMetrics(): ServeMetrics {
  const registry = new Registry();
  const registers = [registry];
  const series = new Map<string, Series>();
  new Counter({
    name: 'ingot_requests_total',
    help: 'Requests answered.',
    labelNames: [...PER_MODEL, 'status'],
    registers,
    collect() {
      for (const one of series.values()) {
        this.inc({ ...one.labels, status: one.status }, one.requests);
        one.requests = 0;
      }
    },
  });
  const countBytes = (name: string, help: string, key: 'receivedBytes' | 'sentBytes') =>
    new Counter({
      name,
      help,
      labelNames: PER_MODEL,
      registers,
      collect() {
        for (const one of series.values()) {
          this.inc({ ...one.labels }, one[key]);
          one[key] = 0;
        }
      },
    });
  countBytes('ingot_request_bytes_total', 'Bytes of request bodies.', 'receivedBytes');
  countBytes('ingot_response_bytes_total', 'Bytes of reply bodies.', 'sentBytes');
  const duration = new Histogram({
    name: 'ingot_request_duration_seconds',
    help: 'From the first byte of a request to its reply.',
    labelNames: PER_MODEL,
    buckets: BUCKETS,
    registers,
  });
  const loads = new Histogram({
    name: 'ingot_model_load_seconds',
    help: 'How long loading a version took.',
    labelNames: ['model', 'version', 'result'],
    buckets: [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers,
  });
  let inFlight = 0;
  new Gauge({
    name: 'ingot_requests_in_flight',
    help: 'Requests being answered.',
    registers,
    collect() {
      this.set(inFlight);
    },
  });
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Memory of the server process, without its workers.',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });

  const seriesOf = ({ route, model, version, status }: ExchangeLabels): Series => {
    const key = `${route} ${model} ${version} ${status}`;
    const known = series.get(key);
    if (known !== undefined) return known;
    const labels = { route, model, version };
    const made: Series = {
      labels,
      status: String(status),
      duration: duration.labels(labels),
      requests: 0,
      receivedBytes: 0,
      sentBytes: 0,
    };
    series.set(key, made);
    return made;
  };

  return {
    registry,
    started() {
      inFlight += 1;
    },
    finished(labels, cost) {
      inFlight -= 1;
      const one = seriesOf(labels);
      one.requests += 1;
      one.receivedBytes += cost.receivedBytes;
      one.sentBytes += cost.sentBytes;
      one.duration.observe(cost.seconds);
    },
    loaded(model, version, result, seconds) {
      loads.labels({ model, version, result }).observe(seconds);
    },
    watch(host) {
      new Gauge({
        name: 'ingot_model_source',
        help: '1 for the version that a configured source names now; changes when an alias moves.',
        labelNames: ['source', 'model', 'version'],
        registers,
        collect() {
          this.reset();
          for (const { model, version, sources } of host.index())
            for (const source of sources) this.labels({ source, model, version }).set(1);
        },
      });
      new Gauge({
        name: 'ingot_model_state',
        help: '1 for the state a version is in.',
        labelNames: ['model', 'version', 'state'],
        registers,
        collect() {
          this.reset();
          for (const { model, version, state } of host.index()) this.labels({ model, version, state }).set(1);
        },
      });
    },
  };
}
