import type { Log } from '@ingot/serve/log';
import type { Context } from '../context.ts';
import type { RunningRegistry } from '../registry-server.ts';

type Teller = Pick<Context, 'format'> & {
  readonly terminal: Pick<Context['terminal'], 'err'>;
  readonly settings: Pick<Context['settings'], 'text'>;
};

/** Tells people what to do with a registry server that has started: as lines of its log where that is JSON. */
export function tellStart(
  { url, isOpen, firstToken }: Pick<RunningRegistry, 'url' | 'isOpen' | 'firstToken'>,
  { format, terminal: { err }, settings }: Teller,
  log: Log,
): void {
  const isJson = settings.text('log') === 'json';
  const hint = (text: string): void => (isJson ? log('info', text) : err.write(`${text}\n`));
  if (format === 'human') hint(`container clients, too: oras pull ${hostOf(url)}/NAME:TAG`);
  if (firstToken === undefined) {
    if (isOpen && format === 'human')
      hint('everybody on this machine may do everything: `ingot account add NAME` ends that');
    return;
  }
  if (format === 'json') return;
  // The one time that the token is told: not on standard output, which may be kept.
  const what = 'nobody has an account yet; this token administers the server and is shown this once';
  const next = `ingot login ${url} --with-token   (then: ingot account add NAME --role admin)`;
  if (isJson) log('warn', what, { token: firstToken, hint: next });
  else err.write(`${what}:\n\n  ${err.colors.bold(firstToken)}\n\n${next}\n`);
}

/** What clients of container registries call a server. */
export function hostOf(url: string): string {
  return new URL(url).host;
}
