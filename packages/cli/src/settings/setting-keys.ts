/** How a setting's text is read. */
export type SettingKind =
  | 'text'
  | 'address'
  | 'path'
  | 'list'
  | 'sources'
  | 'number'
  | 'count'
  | 'port'
  | 'seconds'
  | 'bytes'
  | 'switch'
  | readonly string[];

/** One setting: `cache` is `INGOT_CACHE` in the environment and `cache = …` in a file. */
export interface SettingSpec {
  readonly kind: SettingKind;
  readonly about: string;
  /** False: files of the working directory cannot set it, because they may have come with a package. Default: true. */
  readonly fromProject?: boolean;
}

/** Every setting of this release. */
export const SETTINGS = {
  registry: { kind: 'address', about: 'where models live' },
  registries: { kind: 'list', about: 'names of registries for --from and --to: staging=ADDRESS, production=ADDRESS' },
  models: { kind: 'sources', about: 'what `serve` serves when no source is given: with commas or spaces between' },
  cache: { kind: 'path', about: 'directory of downloaded packages and environments' },
  'cache-size': { kind: 'bytes', about: 'what the cache may hold before the least used goes (default: 20GB)' },
  actor: { kind: 'text', about: 'who is named in the history' },
  'allow-http': {
    kind: 'switch',
    about: 'send a token to a server without TLS on another machine',
    fromProject: false,
  },
  'bake-base': { kind: 'text', about: 'what images stand on, like python:3.11-slim' },
  offline: { kind: 'switch', about: 'answer from the cache, never ask the store' },
  lock: { kind: 'path', about: 'file that pins references to versions (default: ingot.lock here, where there is one)' },
  locked: { kind: 'switch', about: 'refuse references that the lock file does not pin' },
  host: { kind: 'text', about: 'address that `serve` listens on' },
  port: { kind: 'port', about: 'port that `serve` listens on' },
  load: { kind: ['start', 'on-demand'], about: 'when `serve` loads models' },
  env: { kind: ['auto', 'current', 'none'], about: 'how Python packages are provided' },
  workers: { kind: 'number', about: 'Python workers for each version' },
  spare: { kind: 'count', about: 'warm Python processes kept ready for each environment' },
  db: {
    kind: 'text',
    about: 'database of the registry server, like postgres://… (default: SQLite files)',
    fromProject: false,
  },
  state: { kind: 'path', about: 'directory of what the registry server keeps', fromProject: false },
  'allowed-hosts': {
    kind: 'list',
    about: 'names that the registry server answers to, beside localhost; * allows all',
    fromProject: false,
  },
  'trusted-proxies': {
    kind: 'list',
    about: 'addresses of proxies before the registry server whose word counts',
    fromProject: false,
  },
  'webhook-hosts': {
    kind: 'list',
    about: 'names, addresses and networks that webhooks may call though they are private; * allows all',
    fromProject: false,
  },
  'retention-every': {
    kind: 'text',
    about: 'how often the registry server applies retention by itself, like 1d (default: when somebody asks)',
    fromProject: false,
  },
  log: { kind: ['text', 'json'], about: 'form of the log of servers' },
  'sign-in': {
    kind: 'path',
    about: 'file that says who else vouches for people and build servers',
    fromProject: false,
  },
  'deployment-history': {
    kind: 'number',
    about: 'days that the registry server keeps what ran where (default: 400)',
    fromProject: false,
  },
  'largest-blob': {
    kind: 'bytes',
    about: 'largest blob that the registry server takes from OCI clients (default: 1TiB)',
    fromProject: false,
  },
  'largest-manifest': {
    kind: 'bytes',
    about: 'largest manifest that the registry server takes from OCI clients (default: 4MiB)',
    fromProject: false,
  },
  'sparse-indexes': {
    kind: 'switch',
    about: 'the registry server takes indexes of images whose platforms are not all there',
    fromProject: false,
  },
  direct: {
    kind: ['yes', 'no'],
    about: 'whether contents go straight to and from the storage of a registry server that signs addresses',
  },
  report: { kind: ['yes', 'no'], about: 'whether `serve` tells its registry server what it answers with' },
  timeout: { kind: 'seconds', about: 'longest time for one prediction' },
  drain: {
    kind: 'seconds',
    about: 'longest wait of `serve` for running requests when it is told to stop (default: 10)',
  },
  linger: {
    kind: 'seconds',
    about: 'how long `serve` still answers when it is told to stop, before it waits (default: 2; on loopback: 0)',
  },
  follow: { kind: 'seconds', about: 'how often `serve` looks up what its sources name (default: 0.5)' },
  memory: { kind: 'bytes', about: 'memory above which the least used models are unloaded' },
  share: { kind: ['auto', 'yes', 'no'], about: 'whether the directory of the store is a network share' },
  shared: { kind: ['auto', 'private', 'group'], about: 'who may use what is written to a directory' },
  retries: { kind: 'count', about: 'how often a call to a storage is repeated' },
  'storage-timeout': { kind: 'seconds', about: 'longest silence of a storage' },
  compress: { kind: 'switch', about: 'store float32 weights smaller, where that helps' },
  python: { kind: 'text', about: 'the Python interpreter', fromProject: false },
  'allow-setup': { kind: 'switch', about: 'run setup.sh or setup.py of packages', fromProject: false },
  'allow-source': { kind: 'switch', about: 'admit requirements that are not named wheels', fromProject: false },
} as const satisfies Readonly<Record<string, SettingSpec>>;

/** A key of {@link SETTINGS}. */
export type SettingKey = keyof typeof SETTINGS;

/** All keys, in the order of `config show`. */
export const SETTING_KEYS = Object.keys(SETTINGS) as readonly SettingKey[];

/** Variables that start with INGOT_ and are not settings. */
export const OTHER_VARIABLES: readonly string[] = [
  'INGOT_DEBUG',
  'INGOT_TOKEN',
  'INGOT_FROM_TOKEN',
  'INGOT_TO_TOKEN',
  'INGOT_OIDC_SECRET',
  'INGOT_OCI_USERNAME',
  'INGOT_OCI_PASSWORD',
  'INGOT_OCI_HOST',
  'INGOT_ENGINE',
  'INGOT_ENGINE_KEEP',
  'INGOT_NODE',
  'INGOT_CONFIG',
  'INGOT_PROGRESS',
  'INGOT_AUTHOR',
  'INGOT_TRUSTED_TYPES',
  'INGOT_BASE_MODELS',
  'INGOT_STARTED_FROM',
];

/** Says whether a text is a setting's key. */
export function isSettingKey(text: string): text is SettingKey {
  return Object.hasOwn(SETTINGS, text);
}

/** Gives the setting's description with its optional parts. */
export function specOf(key: SettingKey): SettingSpec {
  return SETTINGS[key];
}

/** `allow-setup` in the environment: `INGOT_ALLOW_SETUP`. */
export function variableOf(key: string): string {
  return `INGOT_${key.replaceAll('-', '_').toUpperCase()}`;
}

/** `INGOT_ALLOW_SETUP` as a key: `allow-setup`. */
export function keyOfVariable(variable: string): string {
  return variable.slice('INGOT_'.length).replaceAll('_', '-').toLowerCase();
}
