/**
 * Lines for a terminal: by words, and between wide characters (Chinese has no spaces), never within what is seen as one
 * character (a family emoji is seven code points), and no line begins with a closing mark. Plain text only: styles are
 * put around lines, not into them. Ours, since the packages for it tear such emoji apart.
 */
import stringWidth from 'fast-string-width';

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** Do not begin a line, as far as wide ones go. */
const CLOSING = /^[，。！？、；：）」』】》〉”’…％]/u;
/** Do not end one. */
const OPENING = /[（「『【《〈“‘]$/u;

const graphemesOf = (text: string): string[] => Array.from(GRAPHEMES.segment(text), ({ segment }) => segment);

/** What stays together: a word, or a wide character, with the spaces and marks that belong to it. */
function chunksOf(line: string): string[] {
  const chunks: string[] = [];
  let isOpen = true; // the next one may begin a chunk
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

/** `startColumn`: how much of the first line is taken already. */
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
      else graphemesOf(chunk).forEach(put); // longer than a line: a link, for example
    }
  }
  breakLine();
  return lines;
}
