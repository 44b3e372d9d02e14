package app

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A command's own flags are what people look for in its help; the settings that
// it reads stand behind them under a heading of their own: explained by the
// commands that read all of them, by name alone elsewhere.

// settingFlag is the annotation of a flag that is a setting: in full, or by name.
const settingFlag = "lishi_setting"

func markSetting(f *pflag.Flag, inFull bool) {
	how := "name"
	if inFull {
		how = "full"
	}
	f.Annotations = map[string][]string{settingFlag: {how}}
}

// separateSettings makes the help of the command and those below it so.
func separateSettings(root *cobra.Command) {
	cobra.AddTemplateFunc("ownFlags", func(c *cobra.Command) string {
		own := pflag.NewFlagSet("", pflag.ContinueOnError)
		own.SortFlags = c.Flags().SortFlags
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Annotations[settingFlag] == nil && f.Name != "config" {
				own.AddFlag(f)
			}
		})
		return strings.TrimRight(own.FlagUsages(), "\n")
	})
	cobra.AddTemplateFunc("settingFlags", settingFlags)
	const flags = "Flags:\n{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}"
	usage := root.UsageTemplate()
	root.SetUsageTemplate(strings.Replace(usage, flags, "Flags:\n{{ownFlags .}}{{settingFlags .}}{{end}}", 1))
}

// settingsWidth is how wide their names are set.
const settingsWidth = 100

func settingFlags(c *cobra.Command) string {
	full, names := pflag.NewFlagSet("", pflag.ContinueOnError), []string{}
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		switch how := f.Annotations[settingFlag]; {
		case how == nil:
		case how[0] == "full":
			full.AddFlag(f)
		default:
			names = append(names, "--"+f.Name)
		}
	})
	if len(names) == 0 && !full.HasFlags() {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n\nSettings (flags, the environment as LISHI_NAME, or a YAML file: --config FILE, LISHI_CONFIG")
	if full.HasFlags() {
		b.WriteString("):\n" + strings.TrimRight(full.FlagUsages(), "\n"))
		return b.String()
	}
	b.WriteString(`; "lishi config" explains them):`)
	width := settingsWidth
	for _, name := range names {
		if width+1+len(name) > settingsWidth {
			b.WriteString("\n ")
			width = 1
		}
		b.WriteString(" " + name)
		width += 1 + len(name)
	}
	return b.String()
}
