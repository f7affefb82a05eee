/** What the demo writes to the terminal: narrow, and the same in a log. */
import { bold, cyan, dim, green, red } from '../lib/terminal.mjs';

let number = 0;

export const say = (text = '') => console.log(text);

/** A numbered heading. */
export function heading(text) {
  number += 1;
  say(`\n${bold(`${number}  ${text}`)}`);
}

/** A command as the user can type it. */
export const command = (text) => say(`   ${dim('$')} ${cyan(text)}`);

export const note = (text) => say(`   ${text}`);

/** Predicted against true, one line an item. */
export function verdicts(predicted, truth) {
  for (const [index, value] of predicted.entries()) {
    const right = String(value) === String(truth[index]);
    note(`${right ? green('✓') : red('✗')} predicted ${String(value).padEnd(10)} true ${truth[index]}`);
  }
}

const SHADES = [' ', '░', '▒', '▓', '█'];

/** Images of 8 by 8 grey values (0 to 16), side by side over their captions. */
export function images(list, captions) {
  const line = (image, row) =>
    image.slice(row * 8, row * 8 + 8).map((grey) => SHADES[Math.min(4, Math.round(grey / 4))].repeat(2)).join('');
  for (let row = 0; row < 8; row++) note(list.map((image) => line(image, row)).join('    '));
  note(captions.map((text) => text.padEnd(16)).join('    '));
}

/** A number with thousands separated. */
export const count = (value) => value.toLocaleString('en-US');
