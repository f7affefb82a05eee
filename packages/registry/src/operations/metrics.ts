import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** One request that has ended. The route is as it was declared, never text from outside. */
export interface EndedRequest {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

/** What is looked at when somebody asks for the metrics. */
export interface Measured {
  /** Deliveries to webhooks that wait. */
  readonly webhooksWaiting: number;
  /** Logs that cannot be followed. */
  readonly logProblems: number;
  /** Of the logs that changed last, those that have events in the store which the index lacks. */
  readonly logsBehind: number;
  /** Seconds that the store took to answer; undefined when it did not. */
  readonly storeSeconds: number | undefined;
  /** The same of the database. */
  readonly databaseSeconds: number | undefined;
}

/** Counts what the server does, for Prometheus. */
export interface ServerMetrics {
  began(): void;
  ended(request: EndedRequest): void;
  /** Gives everything in the text form of Prometheus. */
  text(measured: Measured): Promise<string>;
  readonly contentType: string;
}

const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Makes the metrics of a server. */
export function createServerMetrics(version: string): ServerMetrics {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers });
  const requests = new Counter({
    name: 'ingot_http_requests_total',
    help: 'Requests that were answered.',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'ingot_http_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer.',
    labelNames: ['route'],
    buckets: BUCKETS,
    registers,
  });
  const running = gauge('ingot_http_requests_in_flight', 'Requests that are being answered.');
  const webhooks = gauge('ingot_webhook_deliveries_waiting', 'Deliveries to webhooks that wait.');
  const problems = gauge('ingot_index_log_problems', 'Logs of models that cannot be followed.');
  const behind = gauge(
    'ingot_index_logs_behind',
    'Of the logs that changed last, those that the index lacks events of.',
  );
  const store = gauge('ingot_store_latency_seconds', 'Time in which the store answered; -1: it did not.');
  const database = gauge('ingot_database_latency_seconds', 'Time in which the database answered; -1: it did not.');
  const memory = gauge('process_resident_memory_bytes', 'Memory of the process.');
  const cpu = new Counter({ name: 'process_cpu_seconds_total', help: 'CPU time of the process.', registers });
  const about = new Gauge({ name: 'ingot_info', help: 'Which release this is.', labelNames: ['version'], registers });
  about.set({ version }, 1);
  return {
    contentType: registry.contentType,
    began: () => running.inc(),
    ended({ method, route, status, seconds }) {
      running.dec();
      requests.inc({ method, route, status: String(status) });
      durations.observe({ route }, seconds);
    },
    async text(measured) {
      webhooks.set(measured.webhooksWaiting);
      problems.set(measured.logProblems);
      behind.set(measured.logsBehind);
      store.set(measured.storeSeconds ?? -1);
      database.set(measured.databaseSeconds ?? -1);
      memory.set(process.memoryUsage.rss());
      const { user, system } = process.cpuUsage();
      cpu.reset();
      cpu.inc((user + system) / 1e6);
      return registry.metrics();
    },
  };
}
