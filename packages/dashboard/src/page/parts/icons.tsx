import type { JSX } from "preact";

/** The drawings of the dashboard: 16 × 16, in the colour of the text. All are decoration beside words. */

const SHAPES = {
  runs: "M2.5 4h11M2.5 8h11M2.5 12h7",
  hooks: "M6 2.5v5a2.5 2.5 0 1 0 5 0M6 7.5v3a3 3 0 0 1-3 3M11 4v3.5",
  keys: "M9.8 6.2a3.3 3.3 0 1 1 0-.01M8.3 8.2 3 13.5M5 11.5l1.8 1.8",
  workers: "M3 3h10v4H3zM3 9h10v4H3zM5.2 5h.01M5.2 11h.01",
  charts: "M2.5 13.5v-11M2.5 13.5h11M5 10.5l2.8-3.4 2.2 1.8 3.2-4.4",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.4 10.4l3.1 3.1",
  close: "m4 4 8 8M12 4l-8 8",
  copy: "M6 6h7v7H6zM3 10V3h7",
  right: "m6 3.5 4.5 4.5L6 12.5",
  down: "m3.5 6 4.5 4.5L12.5 6",
  back: "M9.5 3.5 5 8l4.5 4.5",
  sun: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9",
  moon: "M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8Z",
  auto: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM8 2.5v11M8 5l3.6-.9M8 8h5.5M8 11l3.6.9",
  step: "M4 4.5 8.5 8 4 11.5zM10.5 4.5v7",
  wait: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM8 5v3.2l2.2 1.4",
  system: "M8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4ZM8 2v2M8 12v2M2 8h2M12 8h2",
  child: "M4 2.5v6a2 2 0 0 0 2 2h6M9.5 8l2.5 2.5L9.5 13",
  lock: "M4 7.5h8v6H4zM5.5 7.5v-2a2.5 2.5 0 0 1 5 0v2",
  warning: "M8 2.5 14 13.5H2zM8 6.5v3.2M8 11.6v.01",
  done: "m3.5 8.5 3 3 6-7",
  // Statuses
  pending: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11Z",
  running: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM6.6 5.6v4.8L10.6 8z",
  completed: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM5.6 8.2l1.7 1.7 3.2-3.6",
  failed: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM6 6l4 4M10 6l-4 4",
  cancelled: "M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM4.2 11.8l7.6-7.6",
  diverged: "M8 14V9M8 9 3.5 4.5M8 9l4.5-4.5M3.5 7.5v-3h3M12.5 7.5v-3h-3",
} as const;

/** The name of a drawing. */
export type IconName = keyof typeof SHAPES;

export function Icon({
  name,
  class: given,
}: {
  readonly name: IconName;
  readonly class?: string;
}): JSX.Element {
  return (
    <svg
      class={`icon ${given ?? ""}`}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      aria-hidden="true"
      focusable="false"
    >
      <path d={SHAPES[name]} />
    </svg>
  );
}
