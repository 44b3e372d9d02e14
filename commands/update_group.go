package commands

import (
	"time"

	"lishi/events"
)

const urlUpdateGroup = "/group/updateGroup"

// UpdateGroup changes what a group is called, shows and lets in. What is not
// given stays as it is; an empty notice or picture takes it away.
//
// url /group/updateGroup · event group.infoChanged · push 11 to the members.
type UpdateGroup struct {
	GroupID   string  `param:"groupId,id"`
	GroupName string  `param:"groupName,name,optional"`
	GroupImg  *string `param:"groupImg,note,optional"`
	Notice    *string `param:"notice,note,optional"`
	JoinMode  string  `param:"joinMode,state,optional" values:"0,1,9"`
}

// Stream implements Command.
func (c UpdateGroup) Stream(Lookup, Actor) (events.Stream, error) {
	switch {
	case c.GroupName == "" && c.GroupImg == nil && c.Notice == nil && c.JoinMode == "":
		return events.Stream{}, ErrBadRequest.With("give groupName, groupImg, notice or joinMode")
	case c.JoinMode != "" && !joinMode(c.JoinMode):
		return events.Stream{}, errJoinMode
	}
	return events.GroupStream(c.GroupID), nil
}

// Decide implements Command.
func (c UpdateGroup) Decide(s State, a Actor, _ time.Time) (events.Body, error) {
	stream := events.GroupStream(c.GroupID)
	group, err := s.group(stream)
	if err != nil {
		return nil, err
	}
	st, _ := s.standing(stream, a.ID)
	if err := groups.permit(urlUpdateGroup, st, always); err != nil {
		return nil, err
	}
	e := events.GroupInfoChanged{GroupName: group.Name, GroupImg: group.Img, Notice: group.Notice, JoinMode: group.JoinMode}
	if c.GroupName != "" {
		e.GroupName = c.GroupName
	}
	if c.GroupImg != nil {
		e.GroupImg = *c.GroupImg
	}
	if c.Notice != nil {
		e.Notice = *c.Notice
	}
	if c.JoinMode != "" {
		e.JoinMode = c.JoinMode
	}
	return e, nil
}
