--- numeral(format, v): a number for a file or another program, with a decimal point whatever the host's locale has.
return function(format, v) return (format:format(v):gsub(",", ".")) end
