/**
 * Wraps text for a terminal: at spaces and between wide characters (Chinese has no spaces), never inside a grapheme (a
 * family emoji is several code points), and never before a closing mark. Plain text only: apply styles to whole lines.
 * Written here because the available packages split such emoji.
 */
import stringWidth from 'fast-string-width';

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** Wide punctuation that must not start a line. */
const CLOSING = /^[，。！？、；：）」』】》〉”’…％]/u;
/** Wide punctuation that must not end a line. */
const OPENING = /[（「『【《〈“‘]$/u;

const graphemesOf = (text: string): string[] => Array.from(GRAPHEMES.segment(text), ({ segment }) => segment);

/** Splits into unbreakable chunks: a word or a wide character, with its trailing spaces and adjacent punctuation. */
function chunksOf(line: string): string[] {
  const chunks: string[] = [];
  let isOpen = true; // the next grapheme may start a chunk
  let wasWide = false;
  for (const grapheme of graphemesOf(line)) {
    const isSpace = grapheme.trim() === '';
    const isWide = stringWidth(grapheme) > 1;
    const last = chunks.at(-1);
    const mayBreak = isOpen || ((isWide || wasWide) && !CLOSING.test(grapheme) && !OPENING.test(last ?? ''));
    if (last === undefined || (mayBreak && !isSpace)) chunks.push(grapheme);
    else chunks[chunks.length - 1] = last + grapheme;
    isOpen = isSpace && chunks.at(-1)?.trim() !== '';
    wasWide = isWide;
  }
  return chunks;
}

/** `startColumn`: columns already used on the first line. */
export function wrap(text: string, columns: number, startColumn = 0): string[] {
  const lines: string[] = [];
  let line = '';
  let width = startColumn;
  const breakLine = (): void => {
    lines.push(line.trimEnd());
    line = '';
    width = 0;
  };
  const put = (piece: string): void => {
    if (width > 0 && width + stringWidth(piece.trimEnd()) > columns) breakLine();
    line += piece;
    width += stringWidth(piece);
  };
  for (const [index, paragraph] of text.split('\n').entries()) {
    if (index > 0) breakLine();
    for (const chunk of chunksOf(paragraph)) {
      if (stringWidth(chunk.trimEnd()) <= columns) put(chunk);
      else graphemesOf(chunk).forEach(put); // longer than a line, such as a URL
    }
  }
  breakLine();
  return lines;
}
