export declare const apply: {
    readonly refused: "0";
    readonly pending: "1";
    readonly expired: "2";
    readonly agreed: "9";
};
export declare const applyType: {
    readonly invitation: "1";
    readonly application: "2";
};
export declare const role: {
    readonly member: "1";
    readonly admin: "5";
    readonly owner: "9";
};
export declare const joinMode: {
    readonly invitation: "0";
    readonly application: "1";
    readonly open: "9";
};
export declare const friendState: {
    readonly offline: "0";
    readonly online: "9";
};
export declare const recentType: {
    readonly group: "1";
    readonly friend: "2";
};
/** A date as the deployment writes it: `yyyy-MM-dd HH:mm:ss` in its zone unless it is set otherwise. `time` beside it is Unix milliseconds. */
export type DateText = string;
