import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../parts/icons.tsx";

/** What stands beside the timeline or the journal, and what it is made of. */

/** The frame of the details. On a phone it covers the lower part of the screen. */
export function Panel(props: {
  readonly title: string;
  readonly kind: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
}): JSX.Element {
  const { title, kind, close, children } = props;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), [title]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Escape") close();
  };
  return (
    <aside class="panel panel-chosen" aria-label={`Details of ${title}`} onKeyDown={onKeyDown}>
      <div class="panel-head">
        <div>
          <p class="panel-kind">{kind}</p>
          <h2 ref={heading} tabIndex={-1}>
            {title}
          </h2>
        </div>
        <button type="button" class="icon-button" aria-label="Close the details" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      {children}
    </aside>
  );
}

/** A part of the details with a title. */
export function ValueSection({
  title,
  children,
}: {
  readonly title: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <section class="panel-section">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

/** A line of a list of facts. */
export function Fact({
  name,
  children,
}: {
  readonly name: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
