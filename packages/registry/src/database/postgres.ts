import { IngotError, isIngotError, systemErrorCode } from '@ingot/core/errors';
import { type Dialect, PostgresDialect, type PostgresPool } from 'kysely';
import pg from 'pg';

/** How a part of the database lies in Postgres. */
export interface PostgresPart {
  readonly schema: string;
  /** Whether a transaction is on the disk when it ends. */
  readonly durable: boolean;
  /** Connections at most. Default: 10. */
  readonly connections?: number;
}

const INT8 = 20;

/** A line that went dead says nothing: whoever waits for an answer is told after so long. */
const LONGEST_ANSWER_MS = 15_000;

/** What changes all rows at once, or waits its turn for that, takes as long as it takes. */
const TAKES_LONG = /^\s*(?:create|alter|drop|delete from "?\w+"?\s*$|select pg_advisory_)/i;

/** Postgres, too, has to notice a dead line, for its transaction may hold what others wait for. */
const OF_CLIENTS_THAT_ARE_GONE = [
  '-c idle_in_transaction_session_timeout=10s',
  '-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3',
].join(' ');

// Counts and times in milliseconds are far below 2^53.
pg.types.setTypeParser(INT8, Number);

/** Says whether a text is the address of a Postgres database. */
export function isPostgresAddress(text: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(text);
}

/** The address without user and password, for people. */
export function withoutSecrets(address: string): string {
  const url = new URL(address);
  return `postgres://${url.host}${url.pathname}`;
}

/**
 * Opens one schema of a Postgres database for Kysely, and makes it where it is not there.
 * @throws IngotError `unavailable` when nothing answers there, `forbidden` when it does not let us in.
 */
export async function postgresDialect(address: string, part: PostgresPart): Promise<Dialect> {
  const durability = part.durable ? 'on' : 'off';
  const pool = new pg.Pool({
    connectionString: address,
    max: part.connections ?? 10,
    connectionTimeoutMillis: 5000,
    keepAlive: true,
    options: `-c search_path=${part.schema} -c synchronous_commit=${durability} ${OF_CLIENTS_THAT_ARE_GONE}`,
  });
  // A connection that breaks while nobody uses it is replaced by the pool.
  pool.on('error', () => {});
  try {
    await makeSchema(pool, part.schema);
  } catch (error) {
    await pool.end();
    throw openingFailed(error, address);
  }
  return new PostgresDialect({ pool: tellingWhatIsAway(pool, address) });
}

/** Servers that start together may both begin to make it: then it is there. */
async function makeSchema(pool: pg.Pool, schema: string): Promise<void> {
  try {
    await pool.query(`create schema if not exists ${schema}`);
  } catch (error) {
    if (systemErrorCode(error) !== UNIQUE_VIOLATION) throw error;
  }
}

const UNIQUE_VIOLATION = '23505';

/** Says of a database that is away, starting or ending that it is unavailable; everything else stays what it is. */
function tellingWhatIsAway(pool: pg.Pool, address: string): PostgresPool {
  const told = async <Result>(asked: Promise<Result>): Promise<Result> => {
    try {
      return await asked;
    } catch (error) {
      if (!isAway(error)) throw error;
      const said = error instanceof Error ? error.message : String(error);
      throw new IngotError('unavailable', `the database ${withoutSecrets(address)} does not answer: ${said}`, {
        retryable: true,
        cause: error,
      });
    }
  };
  return {
    async connect() {
      const client = await told(pool.connect());
      // A connection that breaks while it is used tells so to whoever waits for an answer.
      if (client.listenerCount('error') < 2) client.on('error', () => {});
      const query = client.query.bind(client);
      let broken: IngotError | undefined;
      const asked = async (...args: Parameters<typeof query>): Promise<unknown> => {
        if (broken !== undefined) throw broken;
        try {
          const text: unknown = args[0];
          const answer = Promise.resolve(query(...args));
          return await told(typeof text === 'string' && TAKES_LONG.test(text) ? answer : inTime(answer));
        } catch (error) {
          if (isIngotError(error, 'unavailable')) broken = error;
          throw error;
        }
      };
      return Object.create(client, {
        query: { value: asked },
        // Nobody knows what one that did not answer is still busy with.
        release: { value: () => client.release(broken !== undefined) },
      });
    },
    end: () => pool.end(),
  };
}

const LISTEN_AGAIN_MS = 1000;

/**
 * Calls back for each notification of a channel, and whenever some may have been missed, on a connection of its own that
 * is opened again when it breaks. Disposing it closes the connection.
 */
export function listenPostgres(address: string, channel: string, heard: () => void): AsyncDisposable {
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let opening = open();

  async function open(): Promise<void> {
    const mine = new pg.Client({ connectionString: address, connectionTimeoutMillis: 5000, keepAlive: true });
    let isGone = false;
    const again = (): void => {
      if (isGone || isOver) return;
      isGone = true;
      void mine.end().catch(() => {}); // It is broken already.
      timer = setTimeout(() => {
        opening = open();
      }, LISTEN_AGAIN_MS);
      timer.unref();
    };
    mine.on('error', again);
    mine.on('end', again);
    mine.on('notification', heard);
    try {
      await mine.connect();
      await inTime(mine.query(`listen ${channel}`));
      client = mine;
      heard();
    } catch {
      again(); // Whoever asks the database for anything else is told that it is away.
    }
  }

  return {
    async [Symbol.asyncDispose]() {
      isOver = true;
      clearTimeout(timer);
      await opening;
      await client?.end().catch(() => {}); // It may be broken already.
    },
  };
}

/** Waits for an answer, but not for ever. */
async function inTime<Result>(answer: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(NO_ANSWER)), LONGEST_ANSWER_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

const NO_ANSWER = `no answer within ${LONGEST_ANSWER_MS / 1000} seconds`;

const AWAY = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EHOSTUNREACH', 'EAI_AGAIN']);

/** Classes of SQL states: connection exceptions, an operator's intervention, too few resources. */
function isAway(error: unknown): boolean {
  const code = systemErrorCode(error) ?? '';
  if (AWAY.has(code) || /^(?:08|53|57P)/.test(code)) return true;
  const text = error instanceof Error ? error.message : '';
  return /Connection terminated|no answer within|timeout exceeded when trying to connect|not queryable/i.test(text);
}

function openingFailed(error: unknown, address: string): IngotError {
  const code = systemErrorCode(error) ?? '';
  const isRefusal = code.startsWith('28') || code === '42501' || code === '3D000';
  const said = error instanceof Error ? error.message : String(error);
  return new IngotError(
    isRefusal ? 'forbidden' : 'unavailable',
    `the database ${withoutSecrets(address)} ${isRefusal ? 'does not let us in' : 'does not answer'}: ${said}`,
    { hint: 'INGOT_DB=postgres://USER:PASSWORD@HOST:5432/NAME ingot up', cause: error },
  );
}
