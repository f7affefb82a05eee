/** Where things lie in an image that Ingot bakes. */
export const IMAGE_PLACES = {
  /** Programs: `node`, `ingot`, `healthy`. First on the PATH. */
  programs: 'opt/ingot/bin',
  /** The engine: `dist/` and its package.json. */
  engine: 'opt/ingot/engine',
  /** The environment of the model: `bin/python`, `lib/python3.11/site-packages`, `environment.json`. */
  environment: 'opt/ingot/environment',
  /** License texts of what lies there. */
  licenses: 'opt/ingot/licenses',
  /** Models, each in a directory of its name. */
  models: 'models',
  /** Downloaded packages and environments, where a volume belongs; not in images of one model. */
  cache: 'var/cache/ingot',
  /** What a registry server keeps, where a volume belongs. */
  state: 'var/lib/ingot',
} as const;

/** The interpreter of an image's environment, absolute. */
export const IMAGE_PYTHON = `/${IMAGE_PLACES.environment}/bin/python`;

/** Who a container runs as: a user of no name and no rights. */
export const IMAGE_USER = '65532:65532';
