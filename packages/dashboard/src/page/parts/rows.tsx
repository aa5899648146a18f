import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useVirtual } from "./virtual.ts";

/**
 * A list of any length, of which only the rows in view are in the document. Rows have one height. The arrow keys, Home and End move
 * the focus from row to row.
 */

export interface RowsProps {
  readonly count: number;
  /** The height of a row, in pixels. */
  readonly height: number;
  /** What the list is, for those who do not see it. */
  readonly label: string;
  /** `"table"` has rows of cells and may have a head; `"list"` has items. */
  readonly as: "table" | "list";
  /** The head of a table: cells with the role `columnheader`. */
  readonly head?: ComponentChildren;
  readonly class?: string;
  /** The content of a row: of a table, its cells. */
  readonly row: (index: number) => ComponentChildren;
  readonly rowClass?: (index: number) => string;
  readonly rowKey?: (index: number) => string;
  /** Scrolls by itself instead of with the page. */
  readonly boxed?: boolean;
  /** Which rows are drawn: what they show may have to be loaded. */
  readonly onView?: (first: number, last: number) => void;
}

function Head({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return (
    // biome-ignore lint/a11y/useSemanticElements: see Cell.
    <div role="rowgroup" class="rows-head">
      {/* biome-ignore lint/a11y/useSemanticElements: see Cell. */}
      {/* biome-ignore lint/a11y/useFocusableInteractive: it has nothing to act on. */}
      <div role="row" aria-rowindex={1} class="row">
        {children}
      </div>
    </div>
  );
}

/** A cell of a table's row. */
export function Cell(props: {
  readonly class?: string;
  readonly title?: string | undefined;
  readonly children?: ComponentChildren;
}): JSX.Element {
  const { class: given, title, children } = props;
  return (
    // biome-ignore lint/a11y/useSemanticElements: rows are positioned, which those of a <table> cannot be.
    <div role="cell" class={given} title={title}>
      {children}
    </div>
  );
}

/** The head of a column. */
export function Column({
  class: given,
  children,
}: {
  readonly class?: string;
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    // biome-ignore lint/a11y/useSemanticElements: see Cell.
    // biome-ignore lint/a11y/useFocusableInteractive: columns are not sorted by their heads.
    <div role="columnheader" class={given}>
      {children}
    </div>
  );
}

export function Rows(props: RowsProps): JSX.Element {
  const { count, height, label, as, head, row, rowClass, rowKey, boxed = false, onView } = props;
  const box = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const [begins, setBegins] = useState(0);
  const virtual = useVirtual({ count, height, begins, scroller: boxed ? () => box.current : "window" });
  const items = virtual.getVirtualItems();
  const [first, last] = [items.at(0)?.index ?? 0, items.at(-1)?.index ?? -1];

  // What is above the list may change its height at any time.
  useLayoutEffect(() => {
    if (boxed || body.current === null) return;
    const top = Math.round(body.current.getBoundingClientRect().top + scrollY);
    if (top !== begins) setBegins(top);
  });
  useEffect(() => {
    if (last >= first) onView?.(first, last);
  }, [first, last, onView]);

  const focusRow = (index: number): void => {
    virtual.scrollToIndex(index);
    // It is drawn when the scroll has been noticed.
    requestAnimationFrame(() => requestAnimationFrame(() => focusable(body.current, index)?.focus()));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = Number(
      (event.target as Element).closest("[data-row]")?.getAttribute("data-row") ?? Number.NaN,
    );
    const to = moved(event.key, at, count);
    if (to === null || (event.target as Element).closest("input, textarea, select") !== null) return;
    event.preventDefault();
    const there = focusable(body.current, to);
    if (there === null) focusRow(to);
    else there.focus();
  };

  const table = as === "table";
  const drawn = items.map(({ index, start }) => (
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: the role depends on what the list is.
    <div
      key={rowKey?.(index) ?? index}
      role={table ? "row" : "listitem"}
      aria-rowindex={table ? index + (head === undefined ? 1 : 2) : undefined}
      aria-setsize={table ? undefined : count}
      aria-posinset={table ? undefined : index + 1}
      data-row={index}
      class={`row ${rowClass?.(index) ?? ""}`}
      style={{ height: `${height}px`, transform: `translateY(${start - begins}px)` }}
    >
      {row(index)}
    </div>
  ));
  const rows = (
    <div
      ref={body}
      role={table ? "rowgroup" : "presentation"}
      class="rows-body"
      style={{ height: `${virtual.getTotalSize()}px` }}
    >
      {drawn}
    </div>
  );
  return (
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: the role depends on what the list is.
    // biome-ignore lint/a11y/noStaticElementInteractions: the arrow keys move between the rows, which have the focus.
    <div
      ref={box}
      role={table ? "table" : "list"}
      aria-label={label}
      aria-rowcount={table ? count + (head === undefined ? 0 : 1) : undefined}
      class={`rows ${boxed ? "rows-boxed" : ""} ${props.class ?? ""}`}
      tabIndex={boxed ? 0 : undefined}
      onKeyDown={onKeyDown}
    >
      {head !== undefined && <Head>{head}</Head>}
      {rows}
    </div>
  );
}

function moved(key: string, at: number, count: number): number | null {
  if (Number.isNaN(at)) return null;
  if (key === "ArrowDown") return Math.min(at + 1, count - 1);
  if (key === "ArrowUp") return Math.max(at - 1, 0);
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return null;
}

function focusable(body: HTMLElement | null, index: number): HTMLElement | null {
  return body?.querySelector<HTMLElement>(`[data-row="${index}"] :is(a, button)`) ?? null;
}
