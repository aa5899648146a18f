import { type Signal, signal } from "@preact/signals";

/** Dark or light: as the system says, until the reader chooses. */

export type Theme = "auto" | "light" | "dark";

const KEY = "perdure-theme";
const THEMES: readonly Theme[] = ["auto", "light", "dark"];

export const theme: Signal<Theme> = signal("auto");

/** Takes the choice of an earlier visit. */
export function readTheme(): void {
  const kept = storage()?.getItem(KEY);
  choose(THEMES.find((name) => name === kept) ?? "auto");
}

/** The next one of auto, light and dark. */
export function nextTheme(): void {
  choose(THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "auto");
  storage()?.setItem(KEY, theme.value);
}

function choose(chosen: Theme): void {
  theme.value = chosen;
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

/** Browsers may forbid it, and throw. */
function storage(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}
