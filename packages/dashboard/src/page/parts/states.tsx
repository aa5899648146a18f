import type { ComponentChildren, JSX } from "preact";
import { Icon } from "./icons.tsx";

/** What stands where there is nothing to show: still loading, nothing there, or something went wrong. */

export function Loading({ what }: { readonly what: string }): JSX.Element {
  return (
    <p class="nothing" role="status">
      <span class="spinner" aria-hidden="true" />
      Loading {what} …
    </p>
  );
}

export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="nothing">
      <p class="nothing-title">{title}</p>
      {children}
    </div>
  );
}

export function Trouble({
  message,
  onRetry,
}: {
  readonly message: string;
  readonly onRetry?: () => void;
}): JSX.Element {
  return (
    <div class="trouble" role="alert">
      <Icon name="warning" />
      <p>{message}</p>
      {onRetry !== undefined && (
        <button type="button" class="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
