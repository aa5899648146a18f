/** Takes the passwords of URLs out of a text that is printed: drivers repeat a URL in their messages. */
export function withoutPasswords(text: string): string {
  // To the last @: a password that should have been encoded may hold one, or a slash.
  return text.replaceAll(/(:\/\/[^:@/\s]*):\S*@/g, "$1:***@").replaceAll(/([?&]password=)[^&\s]*/g, "$1***");
}
