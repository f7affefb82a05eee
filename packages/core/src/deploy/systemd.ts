import type { Deployment, RenderedFile } from './deployment.ts';
import { graceSeconds } from './deployment.ts';
import { quantityValue } from './quantity.ts';
import { serverSettings } from './server-settings.ts';
import { WRITTEN_BY } from './yaml-document.ts';

/** What a unit is rendered with besides the deployment. */
export interface SystemdOptions {
  /** The program, absolute. Default: `/usr/local/bin/ingot`. */
  readonly program?: string;
}

/**
 * Renders a deployment as a unit of systemd: a user of its own that is made at the start, a cache that outlives it, no way
 * to write anywhere else, and secrets from `/etc/ingot/<name>.env`, which is read as root. It listens on the loopback:
 * a proxy with TLS stands before it. There is no watchdog, as the server does not speak systemd's protocol; a unit that
 * ends is started again.
 */
export function renderSystemd(deployment: Deployment, options: SystemdOptions = {}): readonly RenderedFile[] {
  const { name, model, source } = deployment;
  const sections: readonly Section[] = [
    [
      'Unit',
      [
        ['Description', literal(`Ingot model server for ${model} (${source})`)],
        ['Documentation', 'man:systemd.exec(5)'],
        ['Wants', 'network-online.target'],
        ['After', 'network-online.target'],
        ['StartLimitIntervalSec', '0'],
      ],
    ],
    ['Service', [...runs(deployment, options), ...limits(deployment), ...CONFINED]],
    ['Install', [['WantedBy', 'multi-user.target']]],
  ];
  return [{ path: `ingot-${name}.service`, text: `${WRITTEN_BY}\n${sections.map(sectionText).join('\n')}` }];
}

type Line = readonly [key: string, value: string];
type Section = readonly [name: string, lines: readonly Line[]];

function runs(deployment: Deployment, { program = '/usr/local/bin/ingot' }: SystemdOptions): readonly Line[] {
  const directory = `ingot-${deployment.name}`;
  const own = {
    HOME: `/var/cache/${directory}`,
    ...serverSettings(deployment),
    INGOT_CACHE: `/var/cache/${directory}`,
    INGOT_HOST: '127.0.0.1',
    ...deployment.variables,
  };
  const variables = Object.entries(own).map(([name, value]): Line => ['Environment', quoted(`${name}=${value}`)]);
  return [
    ['Type', 'exec'],
    ['ExecStart', `${quoted(program.replaceAll('$', '$$$$'))} serve`],
    ...variables,
    ['EnvironmentFile', `-/etc/ingot/${deployment.name}.env`],
    ['Restart', 'always'],
    ['RestartSec', '2'],
    ['KillMode', 'mixed'],
    ['TimeoutStartSec', '90'],
    ['TimeoutStopSec', String(graceSeconds(deployment))],
    ['DynamicUser', 'yes'],
    ['CacheDirectory', directory],
    ['CacheDirectoryMode', '0700'],
    ['WorkingDirectory', `/var/cache/${directory}`],
    ['UMask', '0077'],
  ];
}

/** The engine that runs the models compiles code, so memory that is written and run has to be allowed. */
const CONFINED: readonly Line[] = [
  ['NoNewPrivileges', 'yes'],
  ['CapabilityBoundingSet', ''],
  ['AmbientCapabilities', ''],
  ['ProtectSystem', 'strict'],
  ['ProtectHome', 'yes'],
  ['PrivateTmp', 'yes'],
  ['PrivateDevices', 'yes'],
  ['ProtectProc', 'invisible'],
  ['ProtectClock', 'yes'],
  ['ProtectHostname', 'yes'],
  ['ProtectKernelLogs', 'yes'],
  ['ProtectKernelModules', 'yes'],
  ['ProtectKernelTunables', 'yes'],
  ['ProtectControlGroups', 'yes'],
  ['RestrictAddressFamilies', 'AF_UNIX AF_INET AF_INET6 AF_NETLINK'],
  ['RestrictNamespaces', 'yes'],
  ['RestrictRealtime', 'yes'],
  ['RestrictSUIDSGID', 'yes'],
  ['LockPersonality', 'yes'],
  ['RemoveIPC', 'yes'],
  ['SystemCallArchitectures', 'native'],
  ['SystemCallFilter', '@system-service'],
  ['SystemCallFilter', '~@privileged'],
  ['SystemCallErrorNumber', 'EPERM'],
];

function limits({ cpu, memory }: Deployment): readonly Line[] {
  return [
    ...(memory.limit === undefined
      ? []
      : [['MemoryMax', String(Math.round(quantityValue(memory.limit)))] satisfies Line]),
    ...(cpu.limit === undefined ? [] : [['CPUQuota', `${Math.round(quantityValue(cpu.limit) * 100)}%`] satisfies Line]),
    ['TasksMax', '2048'],
  ];
}

function sectionText([name, lines]: Section): string {
  return `[${name}]\n${lines.map(([key, value]) => `${key}=${oneLine(value)}\n`).join('')}`;
}

/** In quotes, as systemd.syntax has them. */
function quoted(text: string): string {
  return `"${literal(text).replace(/[\\"]/g, '\\$&')}"`;
}

/** A `%` stands for something else unless there are two. */
function literal(text: string): string {
  return text.replaceAll('%', '%%');
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}
