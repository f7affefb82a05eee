/** One thing that `doctor` looked at. */
export interface Check {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failed';
  readonly message: string;
  /** What to do about it. */
  readonly fix?: string;
}

/** Makes a check that found nothing wrong. */
export function ok(name: string, message: string): Check {
  return { name, status: 'ok', message };
}

/** Makes a check that found something worth knowing. */
export function warning(name: string, message: string, fix?: string): Check {
  return { name, status: 'warning', message, ...(fix === undefined ? {} : { fix }) };
}

/** Makes a check that found something that will not work. */
export function failed(name: string, message: string, fix?: string): Check {
  return { name, status: 'failed', message, ...(fix === undefined ? {} : { fix }) };
}
