/** The little that this page needs of a framework: making elements, finding parts, and keeping a list in order. */
import { type Language, say, type Word } from './i18n.ts';

/** Text goes in as text: nothing here reads HTML, and the page's policy (trusted types) would not let it. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A part of index.html. */
export function byId<Type extends HTMLElement>(id: string, type: new () => Type): Type {
  const element = document.getElementById(id);
  if (element instanceof type) return element;
  throw new Error(`index.html has no ${type.name} called ${id}`);
}

/** Writes only what differs, so that nothing is announced or selected anew. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** The words that stand in index.html as names: `data-word` is a text, `data-label` a label, `data-hint` a placeholder. */
export function translate(language: Language): void {
  document.documentElement.lang = language === 'zh' ? 'zh-Hans' : 'en';
  const each = (name: string, put: (element: HTMLElement, text: string) => void) => {
    for (const element of document.querySelectorAll<HTMLElement>(`[data-${name}]`)) {
      put(element, say(language, element.dataset[name] as Word)); // a test looks that each is one
    }
  };
  each('word', setText);
  each('label', (element, text) => element.setAttribute('aria-label', text));
  each('hint', (element, text) => element.setAttribute('placeholder', text));
}

/** Makes the children of a list those of the items: by key, so that what stays is the same element, with its focus. */
export function reconcile<Item extends { key: string }>(
  list: HTMLElement,
  items: Item[],
  make: (item: Item) => HTMLElement,
  update: (element: HTMLElement, item: Item) => void,
): void {
  const focused = document.activeElement;
  const old = new Map<string, HTMLElement>();
  for (const child of list.children) {
    if (child instanceof HTMLElement) old.set(child.dataset['key'] ?? '', child);
  }
  const wanted = new Set(items.map(({ key }) => key));
  for (const [key, element] of old) if (!wanted.has(key)) element.remove();
  let place = list.firstElementChild;
  for (const item of items) {
    const element = old.get(item.key) ?? make(item);
    element.dataset['key'] = item.key;
    update(element, item);
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  // An element that is moved loses the focus.
  if (focused instanceof HTMLElement && focused !== document.activeElement && list.contains(focused))
    focused.focus();
}
