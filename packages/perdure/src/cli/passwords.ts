/** Takes the passwords of URLs out of what is printed: a mistyped argument is repeated in the message about it. */
export function withoutPasswords(text: string): string {
  // To the last @: a password that should have been encoded may hold one, or a slash.
  return text.replaceAll(/(:\/\/[^:@/\s]*):\S*@/g, "$1:***@").replaceAll(/([?&]password=)[^&\s]*/g, "$1***");
}
