import { keepLibrariesSilent, provide, settingsHost } from '../process-host.ts';
import type { Host } from '../run.ts';
import { reportError, run } from '../run.ts';
import type { Interrupts } from '../interrupts.ts';
import type { EngineLine, EngineRequest } from './engine-request.ts';
import { staysLocal } from './stays-local.ts';

/** What became of a request. */
export interface Served {
  /** The exit status that a process of its own would have had. */
  readonly status: number;
  /** Its standard output. */
  readonly printed: string;
  /** Whether it only had to do with paths of this machine. */
  readonly isAlone: boolean;
}

/**
 * Runs one command as a process of its own would: this process takes its environment and working directory.
 * @param say is told when it begins, and each piece of its standard error.
 */
export async function serveRequest(
  request: EngineRequest,
  interrupt: Interrupts,
  say: (line: EngineLine) => void,
): Promise<Served> {
  process.chdir(request.cwd);
  takeEnvironment(request.env);
  say({ begun: true });
  const printed: string[] = [];
  let isAlone = false;
  const host: Host = {
    ...settingsHost(),
    provide,
    stdout: { write: (text) => printed.push(text) },
    stderr: { write: (text) => say({ said: text }) },
    signal: interrupt.signal,
    now: () => new Date(),
    readStdin: async () => Buffer.from(request.input),
    onInputClosed: () => {},
    confirm: async () => undefined,
    secret: async () => undefined,
    onSettings: (settings) => {
      isAlone = staysLocal(request.words, settings.text('registry') ?? '');
    },
  };
  const crash = (thrown: unknown): void => {
    const status = reportError(thrown, request.words, host);
    say({ ended: status, printed: printed.join(''), stays: false });
    process.stdout.write('', () => process.exit(status));
  };
  process.once('uncaughtException', crash);
  const status = await run(request.words, host);
  process.off('uncaughtException', crash);
  // No directory is kept from being removed meanwhile.
  process.chdir('/');
  return { status: status === 130 ? (interrupt.status ?? status) : status, printed: printed.join(''), isAlone };
}

/** Makes the environment of this process another; programs it starts get that one, too. */
function takeEnvironment(env: EngineRequest['env']): void {
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(env, name)) delete process.env[name];
  for (const [name, text] of Object.entries(env)) if (process.env[name] !== text) process.env[name] = text;
  keepLibrariesSilent();
}
