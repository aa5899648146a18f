import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  observeWindowOffset,
  observeWindowRect,
  Virtualizer,
  windowScroll,
} from "@tanstack/virtual-core";
import { useLayoutEffect, useReducer, useRef } from "preact/hooks";

/** Which rows of a long list are to be drawn, from TanStack's virtualizer. */

/** What a list asks of it. */
export interface VirtualOptions {
  readonly count: number;
  /** The height of every row, in pixels. */
  readonly height: number;
  /** What scrolls: the window, or an element of its own. */
  readonly scroller: "window" | (() => HTMLElement | null);
  /** Where the list begins inside of what scrolls, in pixels. */
  readonly begins: number;
}

type AnyVirtualizer = Virtualizer<Window, Element> | Virtualizer<HTMLElement, Element>;

/** The virtualizer of a list, which draws its component anew when other rows come into view. */
export function useVirtual(options: VirtualOptions): AnyVirtualizer {
  const [, redraw] = useReducer((drawn: number) => drawn + 1, 0);
  const kept = useRef<AnyVirtualizer | null>(null);
  const common = {
    count: options.count,
    estimateSize: () => options.height,
    overscan: 8,
    scrollMargin: options.begins,
    onChange: () => redraw(undefined),
  };
  let virtual = kept.current;
  if (options.scroller === "window") {
    const all = {
      ...common,
      getScrollElement: () => window,
      observeElementRect: observeWindowRect,
      observeElementOffset: observeWindowOffset,
      scrollToFn: windowScroll,
      initialOffset: () => scrollY,
    };
    if (virtual === null) virtual = new Virtualizer<Window, Element>(all);
    else (virtual as Virtualizer<Window, Element>).setOptions(all);
  } else {
    const all = {
      ...common,
      getScrollElement: options.scroller,
      observeElementRect,
      observeElementOffset,
      scrollToFn: elementScroll,
    };
    if (virtual === null) virtual = new Virtualizer<HTMLElement, Element>(all);
    else (virtual as Virtualizer<HTMLElement, Element>).setOptions(all);
  }
  const made = virtual;
  kept.current = made;
  useLayoutEffect(() => made._didMount(), [made]);
  useLayoutEffect(() => made._willUpdate());
  // A list whose rows change their height is measured anew.
  useLayoutEffect(() => made.measure(), [made, options.height]);
  return made;
}
