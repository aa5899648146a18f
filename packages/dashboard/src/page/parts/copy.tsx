import type { JSX } from "preact";
import { Icon } from "./icons.tsx";
import { say } from "./notices.tsx";

/** Copies a text. Where the page may not write to the clipboard, such as over plain HTTP, the text is selected instead. */

export function Copy(props: { readonly text: string; readonly what: string }): JSX.Element {
  const { text, what } = props;
  const onClick = async (event: MouseEvent): Promise<void> => {
    const button = event.currentTarget as HTMLElement;
    try {
      await navigator.clipboard.writeText(text);
      say(`Copied ${what}.`);
    } catch {
      const before = button.previousElementSibling;
      if (before !== null) getSelection()?.selectAllChildren(before);
      say(
        `The browser does not let the page copy. ${before === null ? "" : "It is selected: copy it with the keyboard."}`,
      );
    }
  };
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={`Copy ${what}`}
      title={`Copy ${what}`}
      onClick={onClick}
    >
      <Icon name="copy" />
    </button>
  );
}
