package ws

import (
	"net/http"

	"lishi/commands"
)

// A reasonRow is what the wire says of one of the protocol's reason words.
type reasonRow struct {
	reason string
	status int    // over HTTP
	code   int    // of a failed result outside the seed's urls; inside it is always 400
	text   string // why a login failed, or what is wrong with a request without url
	again  string // whether to try again, for the docs
}

// The table of reasons: status and retryability are data.
var reasonRows = []reasonRow{
	{commands.BadRequest, http.StatusBadRequest, 400, "请求参数错误", "no"},
	{commands.TooLong, http.StatusBadRequest, 400, "请求参数过长", "no"},
	{commands.Unauthorized, http.StatusUnauthorized, 401, "令牌无效或已过期", "with a new token"},
	{commands.Forbidden, http.StatusForbidden, 403, "没有权限", "no"},
	{commands.NotFriend, http.StatusForbidden, 400, "不是好友", "no"},
	{commands.NotMember, http.StatusForbidden, 400, "不是群成员", "no"},
	{commands.Blocked, http.StatusForbidden, 400, "已被屏蔽", "no"},
	{commands.Muted, http.StatusForbidden, 400, "已被禁言", "no"},
	{commands.UnknownURL, http.StatusNotFound, 404, "请求地址不存在", "no"},
	{commands.NotFound, http.StatusNotFound, 400, "请求对象不存在", "no"},
	{commands.Conflict, http.StatusConflict, 400, "请求冲突", "no"},
	{commands.RateLimited, http.StatusTooManyRequests, 400, "请求过于频繁", "after obj.retryAfterMs"},
	{commands.Unavailable, http.StatusServiceUnavailable, 400, "服务暂不可用", "later; nothing happened"},
	{commands.Unknown, http.StatusGatewayTimeout, 400, "结果未知", "at once, with the same uniqueNo"},
}

var reasonTable = func() map[string]reasonRow {
	m := make(map[string]reasonRow, len(reasonRows))
	for _, r := range reasonRows {
		m[r.reason] = r
	}
	return m
}()

// Reasons lists the reason words of refusals.
func Reasons() []string {
	words := make([]string, len(reasonRows))
	for i, r := range reasonRows {
		words[i] = r.reason
	}
	return words
}

func refuse(reason, detail string) *commands.Refusal {
	return &commands.Refusal{Reason: reason, Detail: detail}
}
