import { computed, type ReadonlySignal, signal } from "@preact/signals";

/**
 * Where the reader is: all of it in the query of the address, so that a link to a filtered list survives a login, and no path
 * below the dashboard's own is needed. `?run=…` is a run, `?page=hooks` another page, anything else the list of runs with its filters.
 */

/** The page's script is in a folder of the dashboard, wherever that is mounted. */
const script = import.meta.url;
/** The path of the dashboard, with a slash at its end. */
export const base: string = new URL("..", script).pathname;

const query = signal(new URLSearchParams(location.search));

addEventListener("popstate", () => {
  query.value = new URLSearchParams(location.search);
});

/** The parameters of the address. */
export const parameters: ReadonlySignal<URLSearchParams> = query;

/** The pages that are not a run. */
export type PageName = "runs" | "hooks" | "keys" | "workers" | "charts";

const PAGES: readonly PageName[] = ["runs", "hooks", "keys", "workers", "charts"];

/** The page that the address names. */
export const page = computed<PageName>(
  () => PAGES.find((name) => name === query.value.get("page")) ?? "runs",
);

/** The run that the address names, or `null`. */
export const openRun = computed<string | null>(() => query.value.get("run"));

/** An address inside the dashboard. Values that are `undefined`, `null` or empty are left out. */
export function address(values: Readonly<Record<string, string | null | undefined>>): string {
  const wanted = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value) wanted.append(name, value);
  const text = wanted.toString();
  return text === "" ? base : `${base}?${text}`;
}

/** Goes to an address of {@link address}. */
export function goTo(href: string): void {
  history.pushState(null, "", href);
  query.value = new URLSearchParams(location.search);
  scrollTo(0, 0);
}

/** Changes parameters of the address in place: no step back leads to the former ones. Empty ones are taken out. */
export function setParameters(changes: Readonly<Record<string, string | readonly string[]>>): void {
  const wanted = new URLSearchParams(query.value);
  for (const [name, values] of Object.entries(changes)) {
    wanted.delete(name);
    for (const value of typeof values === "string" ? [values] : values)
      if (value !== "") wanted.append(name, value);
  }
  const text = wanted.toString();
  history.replaceState(null, "", text === "" ? base : `${base}?${text}`);
  query.value = wanted;
}

/** Makes clicks on links of the dashboard go there without loading the page anew. */
export function followLinks(): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest("a");
    const href = link?.getAttribute("href");
    if (href === null || href === undefined || (href !== base && !href.startsWith(`${base}?`))) return;
    event.preventDefault();
    goTo(href);
  });
}
