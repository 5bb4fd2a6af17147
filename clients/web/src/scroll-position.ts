/** Where a scrolling element stands, and how to keep it there while its content changes. */

/** This near to the end counts as at the end. */
const END_PX = 48;
/** This near to the top, older messages are loaded, so that they are there before the reader is. */
const TOP_PX = 600;

export const isAtEnd = (scroller: HTMLElement): boolean =>
  distanceToEnd(scroller) - scroller.clientHeight < END_PX;

/** An element that is not displayed has no height, and nobody who reads it. */
export const isNearTop = (scroller: HTMLElement): boolean =>
  scroller.scrollTop < TOP_PX && scroller.clientHeight > 0;

export function scrollToEnd(scroller: HTMLElement): void {
  scroller.scrollTop = scroller.scrollHeight;
}

/** From the top of the view to the end of the content: content that is added above the view does not change it. */
export const distanceToEnd = (scroller: HTMLElement): number => scroller.scrollHeight - scroller.scrollTop;

export function scrollToDistance(scroller: HTMLElement, distance: number): void {
  scroller.scrollTop = scroller.scrollHeight - distance;
}
