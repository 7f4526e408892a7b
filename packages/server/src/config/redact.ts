// Takes passwords out of the addresses in a text before it is shown. It redacts too much rather than too little.

const USER_INFO = /([a-z][a-z\d+.-]*:\/{0,2})[^\s"']*@/gi;
const PARAMETERS = /([a-z][a-z\d+.-]*:\/\/[^\s"'?#]*[?#])[^\s"']+/gi;

/** Returns the text of a message with user, password and parameters of all addresses in it replaced by `***`. */
export function redactText(text: string): string {
  return text.replace(USER_INFO, "$1***@").replace(PARAMETERS, "$1***");
}
