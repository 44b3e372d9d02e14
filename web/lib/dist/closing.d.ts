/** What the client does about a close code. */
export type AfterClose = 'resume' | 'renew' | 'shed' | 'rest';
export interface Closing {
    meaning: string;
    then: AfterClose;
}
/** Every close code that lishi, a browser or a proxy gives, and what follows. Another one means: resume. */
export declare const closings: Readonly<Record<number, Closing>>;
export declare const afterClose: (code: number) => AfterClose;
