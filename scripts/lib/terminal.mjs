/** Plain terminal output: steps with elapsed time, colours where they help. */
const out = process.stderr;
const colourful = (stream) => Boolean(stream.isTTY) && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
const painter = (open, close) => (text, stream = process.stdout) =>
  colourful(stream) || process.env.FORCE_COLOR ? `\u001b[${open}m${text}\u001b[${close}m` : text;

export const bold = painter(1, 22);
export const dim = painter(2, 22);
export const green = painter(32, 39);
export const red = painter(31, 39);
export const cyan = painter(36, 39);

/** `1.2 s`, or `2 min 5 s`. */
export function seconds(milliseconds) {
  const total = milliseconds / 1000;
  return total < 60 ? `${total.toFixed(1)} s` : `${Math.floor(total / 60)} min ${Math.round(total % 60)} s`;
}

/**
 * Runs `work` as a named step on stderr. A terminal sees the time run; a log gets a line at the start and one at the end.
 * What `work` is given prints a line of its own in between.
 */
export async function step(name, work) {
  const started = performance.now();
  const elapsed = () => seconds(performance.now() - started);
  const live = Boolean(out.isTTY);
  if (!live) out.write(`- ${name} …\n`);
  const draw = () => out.write(`\r\u001b[K- ${name} … ${dim(elapsed(), out)}`);
  const timer = live ? setInterval(draw, 200) : undefined;
  if (live) draw();
  const end = (mark) => {
    clearInterval(timer);
    out.write(`${live ? '\r\u001b[K' : ''}${mark} ${name} ${dim(elapsed(), out)}\n`);
  };
  try {
    const result = await work((line) => out.write(`${live ? '\r\u001b[K' : ''}  ${line}\n`));
    end(green('✓', out));
    return result;
  } catch (error) {
    end(red('✗', out));
    throw error;
  }
}
